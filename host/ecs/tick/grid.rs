//! Who is near whom: agents by the cell of the map that they are in, so that nobody is compared with
//! everybody. Costs one pass over the agents and one over the cells.

use super::columns::apart;
use super::draw::Draw;

/// Cells a side at most; agents that are farther apart have wider cells.
const MOST_CELLS: f32 = 512.0;
/// With so few candidates all are looked at; with more, so many are drawn. Neighbours are a third of the
/// candidates where agents are evenly spread, so that 24 draws miss all of them once in 20,000 times.
const TRIES: usize = 24;

pub(super) struct Grid<'a> {
    places: &'a [[f32; 2]],
    reach: f32,
    origin: [f32; 2],
    cell: f32,
    width: usize,
    height: usize,
    /// Where a cell's agents begin in `members`; one more than there are cells.
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl<'a> Grid<'a> {
    /// Neighbours are those within `reach`.
    pub(super) fn new(places: &'a [[f32; 2]], reach: f32) -> Self {
        let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
        for place in places {
            for axis in 0..2 {
                low[axis] = low[axis].min(place[axis]);
                high[axis] = high[axis].max(place[axis]);
            }
        }
        let spans = [(high[0] - low[0]).max(0.0), (high[1] - low[1]).max(0.0)];
        // A hair wider than the reach, so that rounding puts no neighbour two cells away.
        let cell = (reach * 1.001).max(spans[0].max(spans[1]) / MOST_CELLS).max(f32::MIN_POSITIVE);
        let cells = |span: f32| (span / cell) as usize + 1;
        let mut grid = Self {
            places,
            reach,
            origin: low,
            cell,
            width: cells(spans[0]),
            height: cells(spans[1]),
            starts: vec![],
            members: vec![0; places.len()],
        };
        let mut starts = vec![0u32; grid.width * grid.height + 1];
        let cell_of: Vec<u32> = places.iter().map(|place| grid.cell_of(*place)).collect();
        for cell in &cell_of {
            starts[*cell as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        for (row, cell) in cell_of.iter().enumerate() {
            let at = &mut next[*cell as usize];
            grid.members[*at as usize] = row as u32;
            *at += 1;
        }
        grid.starts = starts;
        grid
    }

    fn column_and_line(&self, place: [f32; 2]) -> [usize; 2] {
        let at = |axis: usize, cells: usize| (((place[axis] - self.origin[axis]) / self.cell) as usize).min(cells - 1);
        [at(0, self.width), at(1, self.height)]
    }

    fn cell_of(&self, place: [f32; 2]) -> u32 {
        let [column, line] = self.column_and_line(place);
        (line * self.width + column) as u32
    }

    /// One of those near `row` that `free` lets pass, each as likely as any other.
    pub(super) fn neighbour(&self, row: usize, free: impl Fn(usize) -> bool, draw: &mut Draw) -> Option<usize> {
        let place = *self.places.get(row)?;
        let [column, line] = self.column_and_line(place);
        // Cells side by side have their members side by side: three runs, the middle one with `row` in it.
        let mut runs: [&[u32]; 3] = [&[]; 3];
        let lines = line.saturating_sub(1)..=(line + 1).min(self.height - 1);
        for (run, line) in runs.iter_mut().zip(lines) {
            let from = self.starts[line * self.width + column.saturating_sub(1)] as usize;
            let to = self.starts[line * self.width + (column + 1).min(self.width - 1) + 1] as usize;
            *run = &self.members[from..to];
        }
        let suits = |candidate: usize| {
            candidate != row && apart(self.places[candidate], place) <= self.reach && free(candidate)
        };
        let total: usize = runs.iter().map(|run| run.len()).sum();
        if total <= TRIES {
            let mut found = [0usize; TRIES];
            let mut count = 0;
            for candidate in runs.into_iter().flatten().map(|candidate| *candidate as usize) {
                if suits(candidate) {
                    found[count] = candidate;
                    count += 1;
                }
            }
            return (count > 0).then(|| found[draw.below(count)]);
        }
        let pick = |mut at: usize| {
            for run in runs {
                match run.get(at) {
                    Some(found) => return *found as usize,
                    None => at -= run.len(),
                }
            }
            row
        };
        (0..TRIES).map(|_| pick(draw.below(total))).find(|candidate| suits(*candidate))
    }
}
