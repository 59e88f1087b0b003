// The right column: what is under the pointer or the focus, in numbers.

import { el, put } from './dom.js';
import { formula } from './math.js';
import { t, number, shape } from './i18n.js';
import { sourceLink } from './source.js';

// Another content for the column; without one, what will stand there.
export const fill = (...nodes) => put(document.getElementById('numbers'), nodes.length ? nodes : [el('h2', t('numbers')), el('p.hint', t('numbers.empty'))]);

// Shows a thing: `name`, `about` (a sentence), `shape`, `axes` (letters), `equation`, `value`, `statistics`, `rows`
// (`[name, text]`), `place` (`file:line` or `{file, line}`), `extra` (elements).
export function show({ name, about, shape: dims, axes, equation, value, statistics: s, rows = [], place, extra = [] }) {
	const lines = [
		[t('shape'), dims && el('code', shape(dims))],
		[t('axes'), axes && el('code', axes)],
		[t('equation'), equation && formula(equation)],
		[t('value'), value !== undefined && el('strong.big', number(value, 6))],
		[t('range'), s && `${number(s.min)} … ${number(s.max)}, ${t('mean')} ${number(s.mean)}`],
		...rows,
		[t('source'), place && sourceLink(place)],
	].filter(([, v]) => v);
	fill(el('h2', name), about ? el('p', about) : '', el('dl', lines.map(([k, v]) => [el('dt', k), el('dd', v)])), ...extra);
}
