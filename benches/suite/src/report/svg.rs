//! Bar and line charts as inline SVG, in the colours that the page has.

use std::fmt::Write;

use super::short;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 260.0;
const MARGIN: f64 = 60.0;

/// One line of a chart.
pub struct Line {
    pub name: String,
    /// In the order of the places below the chart; none is left out.
    pub values: Vec<Option<f64>>,
}

/// Values over places on a logarithmic scale from a power of ten to a power of ten.
pub fn lines(title: &str, unit: &str, places: &[String], lines: &[Line]) -> String {
    let values = || lines.iter().flat_map(|line| line.values.iter().flatten()).copied().filter(|value| *value > 0.0);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    if low > high || places.is_empty() {
        return String::new();
    }
    let (low, high) = (low.log10().floor(), high.log10().ceil().max(low.log10().floor() + 1.0));
    let across = |place: usize| MARGIN + (place as f64 + 0.5) * (WIDTH - 2.0 * MARGIN) / places.len() as f64;
    let up = |value: f64| HEIGHT - MARGIN / 1.5 - (value.log10() - low) / (high - low) * (HEIGHT - MARGIN);
    let legend = HEIGHT + 18.0 * lines.len() as f64;
    let mut svg = format!(
        "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {legend}\" role=\"img\" aria-label=\"{}\">",
        escaped(title),
        escaped(title)
    );
    for power in low as i32..=high as i32 {
        let (value, y) = (10_f64.powi(power), up(10_f64.powi(power)));
        let right = WIDTH - MARGIN;
        // Writing to a text does not fail.
        let _ = write!(svg, "<line class=\"grid\" x1=\"{MARGIN}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{} {unit}</text>",
            MARGIN - 6.0,
            y + 4.0,
            scale(value)
        );
    }
    for (number, place) in places.iter().enumerate() {
        let y = HEIGHT - MARGIN / 1.5 + 18.0;
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>",
            across(number),
            escaped(place)
        );
    }
    for (number, line) in lines.iter().enumerate() {
        let points = line.values.iter().enumerate().filter_map(|(place, value)| Some((place, (*value)?)));
        let points = points.filter(|(_, value)| *value > 0.0);
        let points: Vec<(f64, f64, f64)> = points.map(|(place, value)| (across(place), up(value), value)).collect();
        let path: Vec<String> = points.iter().map(|(x, y, _)| format!("{x:.1},{y:.1}")).collect();
        // Dashed when the colours begin again.
        let colour = format!("{}{}", number % 6, if number < 6 { "" } else { " later" });
        let _ = write!(svg, "<polyline class=\"c{colour}\" points=\"{}\"/>", path.join(" "));
        for (x, y, value) in points {
            let title = format!("{}: {} {unit}", escaped(&line.name), short(value));
            let _ = write!(
                svg,
                "<circle class=\"c{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{title}</title></circle>"
            );
        }
        let y = HEIGHT + 18.0 * number as f64;
        let _ = write!(svg, "<rect class=\"c{colour}\" x=\"{MARGIN}\" y=\"{y:.1}\" width=\"12\" height=\"12\"/>");
        let _ = write!(svg, "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", MARGIN + 18.0, y + 11.0, escaped(&line.name));
    }
    svg + "</svg></figure>"
}

/// A power of ten.
fn scale(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value}") }
}

/// As text of HTML, also within quotes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_times_as_much_is_one_step_higher() {
        let places = ["1".to_owned(), "5".into(), "10".into()];
        let line = Line { name: "a & b".into(), values: vec![Some(1.0), Some(10.0), Some(100.0)] };
        let chart = lines("p95", "ms", &places, &[line]);
        let heights: Vec<f64> =
            chart.split("cy=\"").skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect();
        // Two powers of ten over 200 units: 220, 120, 20 from the top.
        assert_eq!(heights, [220.0, 120.0, 20.0]);
        assert!(chart.contains("a &amp; b"));
    }

    #[test]
    fn nothing_measured_is_no_chart() {
        assert_eq!(lines("p95", "ms", &["1".into()], &[Line { name: "a".into(), values: vec![None] }]), "");
    }
}
