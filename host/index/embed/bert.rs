//! The forward pass of a BERT encoder (Devlin et al. 2018, in the parameter names of Hugging Face): word pieces to
//! one vector, the mean of the last layer. One thread, 32-bit numbers. Knows nothing of files and tokenizers.

use ndarray::{Array1, Array2, ArrayViewMut1, Axis, Zip, concatenate, s};
use safetensors::tensor::{Dtype, SafeTensors};
use serde::Deserialize;

/// What `config.json` says of the network.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Shape {
    pub(super) model_type: String,
    pub(super) hidden_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) intermediate_size: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) vocab_size: usize,
    pub(super) hidden_act: String,
    #[serde(default = "usual_epsilon")]
    pub(super) layer_norm_eps: f32,
    #[serde(default = "absolute")]
    pub(super) position_embedding_type: String,
}

fn usual_epsilon() -> f32 {
    1e-12
}

fn absolute() -> String {
    "absolute".to_owned()
}

impl Shape {
    fn check(&self) -> Result<(), String> {
        for (name, value, read) in [
            ("model_type", &self.model_type, "bert"),
            ("hidden_act", &self.hidden_act, "gelu"),
            ("position_embedding_type", &self.position_embedding_type, "absolute"),
        ] {
            if value != read {
                return Err(format!("{name} is `{value}`; only `{read}` is read"));
            }
        }
        if self.num_attention_heads == 0
            || self.hidden_size == 0
            || !self.hidden_size.is_multiple_of(self.num_attention_heads)
        {
            let (size, heads) = (self.hidden_size, self.num_attention_heads);
            return Err(format!("hidden_size {size} cannot be shared by num_attention_heads {heads}"));
        }
        Ok(())
    }
}

/// All parameters of a network.
pub(super) struct Bert {
    words: Array2<f32>,
    /// With the one token type that single texts have.
    positions: Array2<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    heads: usize,
}

struct Layer {
    /// Query, key and value side by side.
    attention: Linear,
    attended: Linear,
    attended_norm: Norm,
    inner: Linear,
    outer: Linear,
    outer_norm: Norm,
}

impl Bert {
    /// Every parameter is checked against the shape, so that `encode` cannot fail.
    pub(super) fn read(shape: &Shape, file: &SafeTensors<'_>) -> Result<Self, String> {
        shape.check()?;
        let epsilon = shape.layer_norm_eps;
        let (size, inner) = (shape.hidden_size, shape.intermediate_size);
        // A network that was saved with a head on top has its own name in front.
        let prefix = if file.names().iter().any(|name| name.starts_with("bert.")) { "bert." } else { "" };
        let source = Source { file, prefix };
        let words = source.matrix("embeddings.word_embeddings.weight", [shape.vocab_size, size])?;
        let places = source.matrix("embeddings.position_embeddings.weight", [shape.max_position_embeddings, size])?;
        let kinds = source.matrix("embeddings.token_type_embeddings.weight", [2, size])?;
        let layer = |at: usize| {
            let name = |part: &str| format!("encoder.layer.{at}.{part}");
            let part = |part: &str| source.linear(&name(&format!("attention.self.{part}")), size, size);
            Ok(Layer {
                attention: Linear::beside(&[part("query")?, part("key")?, part("value")?])?,
                attended: source.linear(&name("attention.output.dense"), size, size)?,
                attended_norm: source.norm(&name("attention.output.LayerNorm"), size, epsilon)?,
                inner: source.linear(&name("intermediate.dense"), inner, size)?,
                outer: source.linear(&name("output.dense"), size, inner)?,
                outer_norm: source.norm(&name("output.LayerNorm"), size, epsilon)?,
            })
        };
        Ok(Self {
            positions: places + kinds.row(0),
            norm: source.norm("embeddings.LayerNorm", size, epsilon)?,
            layers: (0..shape.num_hidden_layers).map(layer).collect::<Result<_, String>>()?,
            heads: shape.num_attention_heads,
            words,
        })
    }

    pub(super) fn dimension(&self) -> usize {
        self.words.ncols()
    }

    /// The mean of the last layer over all pieces, not yet of unit length. Pieces past the last position, and those
    /// that the network has no word for, are left out.
    pub(super) fn encode(&self, pieces: &[u32]) -> Array1<f32> {
        let known = pieces.iter().map(|piece| *piece as usize).filter(|piece| *piece < self.words.nrows());
        let known: Vec<usize> = known.take(self.positions.nrows()).collect();
        let mut state = self.words.select(Axis(0), &known);
        state += &self.positions.slice(s![..known.len(), ..]);
        self.norm.apply(&mut state);
        for layer in &self.layers {
            state = layer.apply(state, self.heads);
        }
        state.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(self.dimension()))
    }
}

impl Layer {
    fn apply(&self, state: Array2<f32>, heads: usize) -> Array2<f32> {
        let (count, size) = state.dim();
        let width = size / heads;
        let scale = 1.0 / (width as f32).sqrt();
        let projected = self.attention.apply(&state);
        let mut context = Array2::zeros((count, size));
        for head in 0..heads {
            let part = |which: usize| {
                let from = which * size + head * width;
                projected.slice(s![.., from..from + width])
            };
            let mut weights = part(0).dot(&part(1).t());
            weights *= scale;
            weights.rows_mut().into_iter().for_each(softmax);
            context.slice_mut(s![.., head * width..(head + 1) * width]).assign(&weights.dot(&part(2)));
        }
        let mut attended = self.attended.apply(&context);
        attended += &state;
        self.attended_norm.apply(&mut attended);
        let mut inner = self.inner.apply(&attended);
        inner.mapv_inplace(gelu);
        let mut outer = self.outer.apply(&inner);
        outer += &attended;
        self.outer_norm.apply(&mut outer);
        outer
    }
}

/// `x W + b`.
struct Linear {
    /// Inputs by outputs.
    weight: Array2<f32>,
    bias: Array1<f32>,
}

impl Linear {
    fn beside(parts: &[Self; 3]) -> Result<Self, String> {
        let weights = parts.each_ref().map(|part| part.weight.view());
        let biases = parts.each_ref().map(|part| part.bias.view());
        Ok(Self {
            weight: concatenate(Axis(1), &weights).map_err(|error| error.to_string())?,
            bias: concatenate(Axis(0), &biases).map_err(|error| error.to_string())?,
        })
    }

    fn apply(&self, state: &Array2<f32>) -> Array2<f32> {
        let mut result = state.dot(&self.weight);
        result += &self.bias;
        result
    }
}

/// Layer normalization (Ba et al. 2016): each row to mean 0 and variance 1, then scaled and shifted.
struct Norm {
    weight: Array1<f32>,
    bias: Array1<f32>,
    epsilon: f32,
}

impl Norm {
    fn apply(&self, state: &mut Array2<f32>) {
        let size = state.ncols() as f32;
        for mut row in state.rows_mut() {
            let mean = row.sum() / size;
            let variance = row.fold(0.0, |sum, value| sum + (value - mean) * (value - mean)) / size;
            let scale = 1.0 / (variance + self.epsilon).sqrt();
            Zip::from(&mut row).and(&self.weight).and(&self.bias).for_each(|value, weight, bias| {
                *value = (*value - mean) * scale * weight + bias;
            });
        }
    }
}

fn softmax(mut row: ArrayViewMut1<'_, f32>) {
    let largest = row.fold(f32::NEG_INFINITY, |largest, value| largest.max(*value));
    row.mapv_inplace(|value| (value - largest).exp());
    let sum = row.sum();
    row /= sum;
}

/// Gaussian error linear unit (Hendrycks and Gimpel 2016) by the error function, as BERT has it.
fn gelu(value: f32) -> f32 {
    0.5 * value * (1.0 + erf(value * std::f32::consts::FRAC_1_SQRT_2))
}

/// The error function to 32-bit precision: a rational function without branches, which a compiler can do several
/// numbers at a time, with the coefficients that XLA has for it; past 4 it is 1.
fn erf(value: f32) -> f32 {
    const ABOVE: [f32; 7] =
        [-2.726_142_3e-10, 2.770_681_4e-8, -2.101_024e-6, -5.692_506_5e-5, -7.349_906e-4, -2.954_6e-3, -1.609_603_3e-2];
    const BELOW: [f32; 5] = [-1.456_607_2e-5, -2.133_740_5e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];
    let value = value.clamp(-4.0, 4.0);
    let square = value * value;
    let above = ABOVE.iter().fold(0.0, |sum, factor| sum * square + factor);
    let below = BELOW.iter().fold(0.0, |sum, factor| sum * square + factor);
    value * above / below
}

/// Parameters by name.
struct Source<'file> {
    file: &'file SafeTensors<'file>,
    prefix: &'static str,
}

impl Source<'_> {
    fn numbers(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let name = format!("{}{name}", self.prefix);
        let tensor = self.file.tensor(&name).map_err(|_| format!("it has no parameter {name}"))?;
        if tensor.dtype() != Dtype::F32 {
            return Err(format!("{name} holds {:?}; only F32 is read", tensor.dtype()));
        }
        if tensor.shape() != shape {
            return Err(format!("{name} is {:?}, but by config.json it should be {shape:?}", tensor.shape()));
        }
        let (numbers, _) = tensor.data().as_chunks::<4>();
        let numbers: Vec<f32> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        match numbers.iter().all(|number| number.is_finite()) {
            true => Ok(numbers),
            false => Err(format!("{name} has numbers that are not finite")),
        }
    }

    fn matrix(&self, name: &str, shape: [usize; 2]) -> Result<Array2<f32>, String> {
        Array2::from_shape_vec(shape, self.numbers(name, &shape)?).map_err(|error| error.to_string())
    }

    fn vector(&self, name: &str, size: usize) -> Result<Array1<f32>, String> {
        Ok(self.numbers(name, &[size])?.into())
    }

    fn linear(&self, name: &str, outputs: usize, inputs: usize) -> Result<Linear, String> {
        let weight = self.matrix(&format!("{name}.weight"), [outputs, inputs])?;
        let weight = weight.t().as_standard_layout().into_owned();
        Ok(Linear { weight, bias: self.vector(&format!("{name}.bias"), outputs)? })
    }

    fn norm(&self, name: &str, size: usize, epsilon: f32) -> Result<Norm, String> {
        let weight = self.vector(&format!("{name}.weight"), size)?;
        Ok(Norm { weight, bias: self.vector(&format!("{name}.bias"), size)?, epsilon })
    }
}

#[cfg(test)]
mod tests {
    use super::erf;

    /// Values of Abramowitz and Stegun, table 7.1.
    #[test]
    fn the_error_function_is_that_of_the_table() {
        for (at, value) in [
            (0.0, 0.0),
            (0.1, 0.112_462_916),
            (0.5, 0.520_499_878),
            (1.0, 0.842_700_793),
            (1.5, 0.966_105_146),
            (2.0, 0.995_322_265),
            (9.0, 1.0),
        ] {
            assert!((f64::from(erf(at)) - value).abs() < 3e-7, "{at}");
            assert!((f64::from(erf(-at)) + value).abs() < 3e-7, "-{at}");
        }
    }
}
