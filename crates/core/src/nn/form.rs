//! How finely a layer is cut into ops.

use serde::{Deserialize, Serialize};

/// How finely attention and the feed-forward layers are cut into ops. The result is the same
/// but for rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Op by op: scores, mask, softmax, weighted sum; linear, GELU, linear; residual. Every
    /// matrix can be looked at.
    Primitive,
    /// In one op each: [attention](crate::ops::attention), which never stores the T x T
    /// matrix; its last layer with the [residual](crate::ops::linear_residual) connection; in
    /// training the [feed-forward](crate::ops::feed_forward) layers with theirs. Fast.
    Fused,
}
