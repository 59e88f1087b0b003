// An op as a part that opens: what it does, its equation, its shapes, its result as a picture.

import { el, formula, has, Matrix, part, shape, show, t, values, visible } from './page.js';
import { attention } from './attention.js';
import { sourceLink } from './source.js';

// What an op is called in the strings: by the last part of its label, else by its function.
function kind({ label = '', op }) {
	const last = label?.split('.').at(-1);
	if (last && Number.isNaN(Number(last)) && has(`op.${last}`)) return last;
	return /\.\d+$/.test(label ?? '') ? 'block' : op;
}

const text = (op, more) => (has(`op.${kind(op)}${more}`) ? t(`op.${kind(op)}${more}`) : null);
const title = (op) => text(op, '') ?? op.label ?? op.op;

// What the right column shows of an op.
export const facts = (op, more = {}) => ({ name: title(op), about: text(op, '.about'), shape: op.output, axes: op.axes, equation: op.equation,
	statistics: op.statistics, place: op.caller, rows: op.parameters.length ? [[t('parameters'), op.parameters.join(', ')]] : [], ...more });

// The result of an op as a matrix, of one head where it has heads.
async function picture(op, inspection, head) {
	const axes = op.axes.split('->').at(-1).replace(/[()\s]/g, '').split(',');
	const { data } = await values(inspection.id, `#${op.number}`, { head: axes.includes('H') ? head : '' });
	const look = inspection.attention?.find((a) => `${a.label}.weights` === op.label && a.head === head);
	if (look) return attention(inspection, look, data).node;
	const cols = op.output.at(-1) ?? 1;
	const named = (axis) => (axis === 'T' && inspection.tokens ? inspection.tokens.map((x, i) => `${i} ${visible(x)}`) : undefined);
	const matrix = new Matrix({ rows: data.length / cols, cols, data, cell: cols <= 24 ? 20 : cols <= 64 ? 9 : 4, label: title(op), rowNames: named(axes.at(-2)), colNames: named(axes.at(-1)),
		pick: (i, j, value) => show(facts(op, { value, rows: [[t('place'), matrix.name(i, j)], [t('head'), axes.includes('H') && String(head)]] })) });
	return matrix.node;
}

export const opPart = (op, inspection, head) => part([title(op), el('span.code', shape(op.output))], async () => {
	show(facts(op));
	return [el('p', text(op, '.about') ?? ''), formula(op.equation),
		el('p.hint', `${op.inputs.map(shape).join(' · ')} → ${shape(op.output)} · `, op.caller ? sourceLink(op.caller) : '', op.parameters.length ? ` · ${op.parameters.join(', ')}` : ''),
		await picture(op, inspection, head())];
}, { kind: 'part.op' });
