// Type a text and open the GPT: overview first, every part expands.

import { attempt, card, Chips, el, failure, field, formula, hint, Matrix, models, newest, number, part, Prompt, query, row, select, show, t, tensor, put, visible } from '../lib/page.js';
import { headChoice } from '../lib/attention.js';
import { opPart } from '../lib/ops.js';
import { Look } from './gpt-look.js';
import { nextTokens } from './gpt-next.js';
import { writer } from './gpt-write.js';

const PAUSE = 60; // ms after an answer, so that a fast typist does not wait for pictures

export async function mount(root, ended) {
	const summary = el('p.hint', { id: 'gpt-summary' });
	const prompt = new Prompt(() => read());
	let [inspection, layer, head] = [null, 0, 0];
	let parts = [];
	const open = new Set();
	const heads = headChoice(choose);
	const [below, inside, above] = [el('div'), el('div'), el('div')];
	const next = nextTokens((token) => { prompt.type(prompt.text + token); read(); });
	const look = new Look((l, h) => choose(l, h));
	const chips = new Chips(t('tokens'), (i) => {
		look.from(i);
		next.at(i);
		show({ name: visible(inspection.tokens[i]), rows: [['id', String(inspection.ids[i])], [t('place'), String(i)]] });
	});
	const write = writer({ model: () => choice.name, prompt, read: () => read(), settings: next.settings, ended });

	const read = newest(async () => {
		await attempt(async () => {
			inspection = await prompt.inspect(choice.name);
			const { layers, tokens, config, seconds, model } = inspection;
			[layer, head] = [Math.min(layer, layers.length - 1), Math.min(head, inspection.heads - 1)];
			summary.textContent = t('gpt.summary', { model, layers: layers.length, heads: inspection.heads, width: config.n_embd, tokens: tokens.length, ms: number(1000 * seconds, 3) }) + (inspection.left_out ? ` ${t('gpt.left', { n: inspection.left_out })}` : '');
			chips.set(tokens);
			next.set(inspection);
			await look.set(inspection, chips, [layer, head]);
			structure();
		});
		await new Promise((done) => setTimeout(done, PAUSE));
	});

	function choose(l, h) {
		[layer, head] = [l, h];
		look.choose(l, h);
		structure();
	}

	// The parts of the model from the tokens to the logits. Those that were open are open again.
	function structure() {
		const key = (op) => `${op.label?.replace(/^h\.\d+/, 'h') ?? ''} ${op.op}`;
		for (const { op, node } of parts) open[node.open ? 'add' : 'delete'](key(op));
		parts = [];
		const { ops, layers } = inspection;
		heads.set(inspection, layer, head);
		const [first, last] = [layers[0].first, layers.at(-1).last];
		const stage = (name, ok, ...more) => el('section', el('h3', name), more, ops.filter((op) => op.phase === 'forward' && ok(op.number)).map((op) => {
			const node = opPart(op, inspection, () => head);
			parts.push({ op, node });
			node.open = open.has(key(op));
			return node;
		}));
		put(below, stage(t('gpt.in'), (n) => n < first, el('p', t('gpt.in.about')), places));
		put(inside, stage(t('gpt.layer', { l: layer }), (n) => n >= layers[layer].first && n <= layers[layer].last, el('p', t('gpt.layer.about'))));
		put(above, stage(t('gpt.out'), (n) => n > last, el('p', t('gpt.out.about'))));
	}

	const choice = await models('gpt', () => { read(); places.refresh(); });
	const places = positions(() => choice.name);
	root.append(row(choice.node, el('div.wide', field('gpt.your', prompt.node))), summary, card('look.title', hint('look.how'), chips.node, look.node),
		el('div.cards', next.node, next.lens), write, card('gpt.inside', el('p', t('gpt.inside.about')), below, heads.node, inside, above));
	await read();
}

// The table of positions: the sines and cosines of the paper, or what the model has learned.
function positions(model) {
	let kind = 'sinusoidal';
	const node = part('positions.title', async () => {
		const got = await tensor(`positions?${query({ model: model(), kind })}`).catch(failure);
		if (!got.data) return [row(choice), got];
		const { data, shape, base } = got;
		const sine = kind === 'sinusoidal';
		const equation = sine ? `p_(2i) = sin(t / ${base}^(2i / C)), p_(2i+1) = cos(t / ${base}^(2i / C))` : 'p = W[t]';
		return [el('p', t('positions.about')), row(choice), formula(equation), new Matrix({ rows: shape.at(-2), cols: shape.at(-1), data, cell: 4, most: sine ? 1 : null, label: t(`positions.${kind}`),
			pick: (i, j, value) => show({ name: t(`positions.${kind}`), about: t('positions.at', { t: i, c: j }), shape, axes: '(block_size, C)', equation, value }) }).node];
	});
	const choice = field('positions.kind', select(['sinusoidal', 'learned'].map((k) => [k, t(`positions.${k}`)]), kind, (k) => { kind = k; node.refresh(); }));
	return node;
}
