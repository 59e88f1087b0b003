//! The images that digit networks train on, which are loaded once.

use std::sync::{Arc, Mutex};

use m2g_core::data::mnist::DigitData;

use crate::hub::lock;

/// The images that were used last.
#[derive(Debug, Default)]
pub struct Images(Mutex<Option<(String, Arc<DigitData>)>>);

impl Images {
    /// The images of a configuration, which are loaded once.
    pub fn load(
        &self,
        config: &m2g_digits::Config,
        transposed: Option<bool>,
    ) -> anyhow::Result<Arc<DigitData>> {
        let key = format!("{:?} {} {:?} {transposed:?}", config.data, config.train_on_all, config.transposed);
        // What images that are sorted by class become depends on the seed.
        let key = format!("{key} {:?}", config.data.as_ref().map(|_| config.seed));
        if let Some((_, data)) = lock(&self.0).as_ref().filter(|(known, _)| *known == key) {
            return Ok(Arc::clone(data));
        }
        let known = transposed.or(config.transposed.known());
        let data = Arc::new(m2g_digits::images::load_known(config, known)?);
        *lock(&self.0) = Some((key, Arc::clone(&data)));
        Ok(data)
    }
}
