//! The output of one measuring process, ours or a peer's.

use serde::{Deserialize, Serialize};

use super::profile::Profile;

/// The output of one measuring process. A peer prints only the first three fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measurement {
    /// The time of each repetition, in seconds.
    pub seconds: Vec<f64>,
    /// The peak memory of the process in MiB, in spite of its name, where the system reports it.
    pub peak_rss_mb: Option<f64>,
    /// The peer's version.
    pub peer: Option<String>,
    /// Floating-point operations of the matrix products and the attention in the work.
    pub flops: Option<f64>,
    /// The number of parameters of the model.
    pub parameters: Option<usize>,
    /// GFLOP/s of large matrix products right after a training step, for comparison.
    #[serde(default)]
    pub products_gflops: Option<f64>,
    /// Where the time goes, with `--profile`.
    pub profile: Option<Profile>,
}
