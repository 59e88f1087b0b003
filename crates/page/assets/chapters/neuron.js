// One weight, one bias, a sigmoid. Then ten neurons. Then a layer as a matrix.

import { neuron } from './neuron-one.js';
import { layer } from './neuron-layer.js';

export async function mount(root) {
	root.append(await neuron(),
		await layer({ B: 1, N: 10, key: 'ten', rule: 'z_j = sum_k w_(j k) x_k + b_j, a_j = sigma(z_j)' }),
		await layer({ B: 3, N: 4, key: 'layer', rule: 'z = x w^T + b, (B, N) = (B, K) (K, N) + (N)' }));
}
