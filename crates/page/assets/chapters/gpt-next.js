// The ten likeliest next tokens, with another temperature or top-k, and those after each layer. Nothing runs again.

import { Bars, button, card, el, field, formula, get, hint, latest, number, numberField, percent, query, row, show, t, table, visible, wanted, put } from '../lib/page.js';

const N = 10;
const RULE = 'p_j = exp(z_j / T) / sum_k exp(z_k / T)';

// `append(token)` hears which candidate was chosen.
export function nextTokens(append) {
	let [inspection, position] = [null, 0];
	const bars = new Bars(t('next.title'));
	const [about, layers, shown] = [el('p.hint'), el('div'), el('output.code')];
	const temperature = el('input', { type: 'range', min: 0.1, max: 3, step: 0.05, value: 1, id: 'temperature', oninput: () => load() });
	const topK = numberField(0, { oninput: () => load(), id: 'top-k' });
	const settings = () => ({ temperature: Number(temperature.value), top_k: topK.value ? wanted(topK, 'top-k', true) || null : null });

	const load = latest(async () => {
		const { id, ops, tokens } = inspection;
		const got = await get(`inspect/${id}/next?${query({ ...settings(), n: N, position })}`);
		const op = ops.find((o) => o.label === 'logits');
		const held = bars.node.contains(document.activeElement);
		bars.names(got.candidates.map((c) => {
			const look = () => show({ name: visible(c.token), about: t('next.about'), shape: op?.output, axes: op?.axes, equation: RULE, value: c.probability, rows: [[t('logit'), number(c.logit, 6)], ['id', String(c.id)]], place: op?.caller });
			return button([visible(c.token)], () => append(c.text), { disabled: !c.text, class: 'chip', onfocus: look, onpointerenter: look, 'aria-label': t('next.add', { token: visible(c.token) }) });
		}));
		if (held) bars.node.querySelector('button:enabled')?.focus();
		bars.update(got.candidates.map((c) => c.probability), got.candidates[0]?.probability);
		shown.textContent = number(Number(temperature.value), 3);
		about.textContent = t('next.after', { token: visible(tokens[position]), n: got.kept });
	});

	const lens = latest(async () => {
		const got = await get(`inspect/${inspection.id}/lens?${query({ n: 3, position })}`);
		const cell = (c) => [el('b.code', visible(c.token)), ` ${percent(c.probability)}`];
		put(layers, table('lens.title', [t('lens.layer'), '1', '2', '3'], got.layers.map(({ after, top }) => [/\d$/.test(after) ? t('lens.after', { l: after.split('.')[1] }) : t('op.embedded'), ...top.map(cell)])));
	});

	const at = (i) => { position = i; load(); lens(); };
	return {
		node: card('next.title', about, bars.node, row(field('temperature', temperature), shown, field('top-k', topK)), hint('next.temperature'), formula(RULE)),
		lens: card('lens.title', hint('lens.about'), layers),
		settings, at,
		set: (got) => { inspection = got; at(got.tokens.length - 1); },
	};
}
