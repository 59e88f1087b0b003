//! The mean of the parameters of the last evaluations.

use super::{FindTensor, Optimizer, named, restored};
use crate::kernels::Kernels;
use crate::{Error, Float, Grads, Params, Tensor};

/// An optimiser that also averages: an evaluation measures the mean of the parameters at the last
/// evaluations, and the best mean is kept (Vaswani et al. 2017, section 6.1, whose models are the mean of the
/// last 5 checkpoints). Training itself goes on with its own parameters.
///
/// With a large learning rate, the steps bounce around a minimum; their mean lies closer to it.
pub struct Averaged<T: Float> {
    optimizer: Box<dyn Optimizer<T>>,
    /// The largest number of earlier evaluations that the mean of the next one needs.
    earlier: usize,
    /// The parameters at these evaluations, oldest first.
    recent: Vec<Vec<Tensor<T>>>,
}

/// The name of the number of evaluations in a checkpoint.
const COUNT: &str = "average.count";

impl<T: Float> Averaged<T> {
    /// Averages the last `last` evaluations, and updates as `optimizer` does.
    pub fn new(optimizer: Box<dyn Optimizer<T>>, last: usize) -> Self {
        Self { optimizer, earlier: last.saturating_sub(1), recent: Vec::new() }
    }

    /// Drops the parameters of evaluations that no mean needs any more.
    fn forget(&mut self) {
        let surplus = self.recent.len().saturating_sub(self.earlier);
        self.recent.drain(..surplus);
    }
}

impl<T: Float> Optimizer<T> for Averaged<T> {
    fn name(&self) -> &'static str {
        self.optimizer.name()
    }

    fn function(&self) -> &'static str {
        self.optimizer.function()
    }

    fn update(&mut self, params: &mut Params<T>, grads: &Grads<T>, scale: f64, lr: f64) {
        self.optimizer.update(params, grads, scale, lr);
    }

    fn cost(&self) -> (u64, u64) {
        self.optimizer.cost()
    }

    fn average(&self, params: &Params<T>) -> Option<Params<T>> {
        let share = T::of(1.0 / (self.recent.len() + 1) as f64);
        let mut mean = params.clone();
        for (i, param) in mean.iter_mut().enumerate() {
            let mut sum = Tensor::zeros(param.value.shape());
            self.recent.iter().for_each(|values| T::Kernels::add_assign(sum.data_mut(), values[i].data()));
            T::Kernels::add_assign(sum.data_mut(), param.value.data());
            let mut value = Tensor::zeros(param.value.shape());
            T::Kernels::scale(value.data_mut(), sum.data(), share);
            param.value = value;
        }
        Some(mean)
    }

    fn evaluated(&mut self, params: &Params<T>) {
        self.recent.push(params.iter().map(|param| param.value.clone()).collect());
        self.forget();
    }

    fn state(&self, params: &Params<T>) -> Vec<(String, Tensor<T>)> {
        let mut state = self.optimizer.state(params);
        state.push((COUNT.into(), Tensor::from_fn(&[1], || T::of(self.recent.len() as f64))));
        for (i, values) in self.recent.iter().enumerate() {
            state.extend(named(&format!("average.{i}"), params, values, |_| true));
        }
        state
    }

    fn restore(&mut self, params: &Params<T>, steps: u64, get: &mut FindTensor<'_, T>) -> Result<(), Error> {
        self.optimizer.restore(params, steps, get)?;
        let count = get(COUNT, &[1])?.data()[0].as_f64();
        // Older versions kept one evaluation more. A damaged count names tensors that are missing.
        let evaluations = (0..=self.earlier).take_while(|&i| (i as f64) < count);
        self.recent = evaluations
            .map(|i| restored(&format!("average.{i}"), params, get, |_| true))
            .collect::<Result<_, _>>()?;
        self.forget();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::super::AdamW;
    use super::*;

    #[test]
    fn the_last_evaluations_are_averaged_and_restored() {
        let mut params = Params::new();
        let w = params.add("w", Tensor::from_vec(&[2], vec![0.0_f64, 0.0]).unwrap()).unwrap();
        let new = || Averaged::new(Box::new(AdamW::<f64>::new(0.0)), 2);
        let mut averaged = new();
        let mut evaluate = |averaged: &mut Averaged<f64>, values: [f64; 2]| {
            params.get_mut(w).value = Tensor::from_vec(&[2], values.to_vec()).unwrap();
            let mean = averaged.average(&params).unwrap();
            let again = averaged.average(&params).unwrap();
            assert_eq!(again.get(w).value, mean.get(w).value, "an evaluation that was stopped counts once");
            averaged.evaluated(&params);
            assert_eq!(params.get(w).value.data(), values, "training goes on with its own");
            mean.get(w).value.data().to_vec()
        };
        assert_eq!(evaluate(&mut averaged, [1.0, 2.0]), [1.0, 2.0]);
        assert_eq!(evaluate(&mut averaged, [3.0, 6.0]), [2.0, 4.0]);
        assert_eq!(evaluate(&mut averaged, [5.0, 6.0]), [4.0, 6.0]);
        let state: BTreeMap<String, Tensor<f64>> = averaged.state(&params).into_iter().collect();
        assert_eq!(state.keys().collect::<Vec<_>>(), ["average.0.w", COUNT], "a mean of 2 needs one before");
        // Older versions kept two.
        let tensor = |values: &[f64]| Tensor::from_vec(&[values.len()], values.to_vec()).unwrap();
        let old = [(COUNT, &[2.0][..]), ("average.0.w", &[3.0, 6.0]), ("average.1.w", &[5.0, 6.0])];
        let old = old.into_iter().map(|(name, values)| (name.to_string(), tensor(values))).collect();
        params.get_mut(w).value = tensor(&[7.0, 8.0]);
        assert_eq!(averaged.average(&params).unwrap().get(w).value.data(), [6.0, 7.0]);
        for mut state in [state, old] {
            let mut resumed = new();
            resumed.restore(&params, 0, &mut |name, _| Ok(state.remove(name).unwrap())).unwrap();
            assert!(state.is_empty(), "a resumed run refuses tensors that nobody reads");
            assert_eq!(resumed.recent.len(), 1);
            assert_eq!(resumed.average(&params).unwrap().get(w).value.data(), [6.0, 7.0]);
        }
    }
}
