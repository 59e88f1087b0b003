// The beam search as a tree: a column for each step, the likeliest at the top.

import { el, number, part, scroll, show, svg, t, table, visible } from '../lib/page.js';

const [WIDE, HIGH, GAP] = [104, 34, 18];
const clip = (text) => (text.length > 10 ? `${text.slice(0, 9)}…` : text);

export function tree({ nodes, best }) {
	const filled = [];
	const places = nodes.map(({ depth }) => { filled[depth] = (filled[depth] ?? -1) + 1; return [(depth - 1) * WIDE, filled[depth] * HIGH]; });
	const won = new Set(best);
	const [width, height] = [Math.max(0, ...nodes.map((n) => n.depth)) * WIDE, (Math.max(0, ...filled.filter(Number.isFinite)) + 1) * HIGH];
	const edge = ({ parent }, i) => svg(won.has(i) ? 'line.won' : 'line', { x1: places[parent][0] + WIDE - GAP, y1: places[parent][1] + 14, x2: places[i][0], y2: places[i][1] + 14 });
	const box = (n, i) => {
		const [x, y] = places[i];
		const token = visible(n.token);
		const look = () => show({ name: token, about: t(`fate.${n.fate}`), equation: 'score = ln p / ((5 + n) / 6)^alpha', value: n.score, rows: [['ln p', number(n.log_probability, 6)], ['n', String(n.depth)]] });
		return svg(`g.${n.fate}${won.has(i) ? '.won' : ''}`, { onpointerenter: look }, svg('rect', { x, y: y + 2, width: WIDE - GAP, height: HIGH - 9, rx: 5 }), svg('text', { x: x + 6, y: y + 19 }, clip(token)));
	};
	const art = svg('svg.tree', { viewBox: `-2 0 ${width + 2} ${height}`, width, height, role: 'img', 'aria-label': t('tree.title') }, nodes.map((n, i) => n.parent !== null && edge(n, i)), nodes.map(box));
	return el('figure', scroll(t('tree.title'), art), part('table', () => table('tree.title', ['#', t('tree.parent'), t('token'), 'ln p', t('score'), t('tree.fate')],
		nodes.map((n, i) => [i, n.parent ?? '–', visible(n.token), number(n.log_probability), number(n.score), t(`fate.${n.fate}`)])), { kind: 'behind' }));
}
