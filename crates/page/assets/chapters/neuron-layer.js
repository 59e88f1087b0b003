// Several neurons that read the same inputs: a matrix product. Pick a number of the result to see the row and the
// column that made it.

import { card, el, formula, Matrix, number, post, put, shape, show, t, times } from '../lib/page.js';
import { signed } from './neuron-one.js';

const K = 3; // inputs
const SIGNS = ['', '×', '+', '=', '→'];
const pattern = (rows, cols, phase) => times(rows, (i) => times(cols, (j) => Math.round(20 * Math.sin(phase + 1.7 * i + 2.3 * j)) / 10));
const names = (n, key) => times(n, (i) => `${t(key)} ${i}`);

// `B` rows of input into `N` neurons; `key` names its texts.
export async function layer({ B, N, key, rule }) {
	const [x, w, [b]] = [pattern(B, K, 1), pattern(N, K, 4), pattern(1, N, 7)];
	const { z, a, ops } = await post('neuron', { x, w, b, y: null, activation: 'sigmoid', cost: 'quadratic', lr: 1, steps: 0, sweep: null });
	const sum = el('div');
	const factor = (name, title, axes, rows, rowKey, colKey, pick) => {
		const dims = [rows.length, rows[0].length];
		const own = axes === '(N)' ? [dims[1]] : dims;
		const matrix = new Matrix({ rows: dims[0], cols: dims[1], data: rows.flat(), cell: 32, write: true, scale: name === 'a' ? 'share' : 'signed', label: t(`matrix.${name}`), rowNames: names(dims[0], rowKey), colNames: names(dims[1], colKey),
			pick: (i, j, value) => {
				pick?.(i, j);
				show({ name: `${title} [${i}, ${j}]`, about: t(`matrix.${name}`), shape: own, axes, value, equation: pick && (name === 'z' ? 'Y = X W^T + b' : 'a = 1 / (1 + exp(-z))'), place: pick && ops[0]?.caller });
			} });
		return { matrix, node: el('div', el('h3', title, ' ', el('span.code', shape(own))), matrix.node) };
	};
	const explain = (i, j) => {
		inputs.matrix.mark(i);
		weights.matrix.mark(null, j);
		put(sum, formula(`z_(${i} ${j}) = ${x[i].map((v, k) => `${signed(v)} * ${signed(w[j][k])}`).join(' + ')} + ${signed(b[j])} = ${number(z[i][j])}`));
	};
	const inputs = factor('x', 'x', '(B, K)', x, 'example', 'input');
	const weights = factor('w', 'wᵀ', '(K, N)', times(K, (k) => w.map((r) => r[k])), 'input', 'neuron');
	const parts = [inputs, weights, factor('b', 'b', '(N)', [b], 'neuron', 'neuron'), factor('z', 'z', '(B, N)', z, 'example', 'neuron', explain), factor('a', 'a = σ(z)', '(B, N)', a, 'example', 'neuron', explain)];
	explain(0, 0);
	return card(`${key}.title`, el('p', t(`${key}.about`)), formula(rule), el('div.product', parts.map((p, i) => el('div.factor', el('span.big', SIGNS[i]), p.node))), sum);
}
