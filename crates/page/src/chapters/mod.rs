//! The answers of each chapter of the page, one file per chapter.
//!
//! | file | chapter |
//! | --- | --- |
//! | `about` | what there is |
//! | `neuron` | one neuron and one layer |
//! | `digits` | a drawing, a photo, the test images, the weights |
//! | `train`, `step` | a training, and one step of it opened |
//! | `inspect` | a step of any model: ops, shapes, values |
//! | `gpt`, `generate`, `what_if` | the GPT: next tokens, what each layer predicts, a text; other scores and masks |
//! | `compare` | one core: what two models share, and its source |
//! | `runs` | all runs, their curves, live |
//! | `translate` | a translation, its search, and what decides a word |
//! | `notes` | the notes, as blocks of text |

pub mod about;
pub mod compare;
pub mod digits;
pub mod generate;
pub mod gpt;
pub mod inspect;
pub mod neuron;
pub mod notes;
pub mod runs;
pub mod step;
pub mod train;
pub mod translate;
pub mod what_if;
