// From pixels to tokens: the same `linear` reads the row of an image and the row of a token.

import { Chips, el, field, formula, Matrix, models, latest, numberField, post, Prompt, row, shape, show, t, values, wanted, put } from '../lib/page.js';
import { facts } from '../lib/ops.js';
import { sourceLink } from '../lib/source.js';

const isLinear = (op) => op.op === 'linear' && op.phase === 'forward';

export async function mount(root) {
	const [left, right, same] = [el('div'), el('div'), el('div')];
	const ops = {};

	const join = () => {
		const { a, b } = ops;
		if (a && b) put(same, el('div.note', el('p', el('strong', t('tokens.same')), ' ', el('code', a.function)), formula(a.equation), el('p', t('tokens.called'), ' ', sourceLink(a.caller), ' · ', sourceLink(b.caller))));
	};

	const image = latest(async () => {
		const got = await post('inspect', { model: digits.name, test: wanted({ value: index.value || '0' }, 'digits.test', true) });
		const op = (ops.a = got.ops.find(isLinear));
		const [x, w, z] = await Promise.all(['x', op.parameters[0], `#${op.number}`].map((name) => values(got.id, name)));
		put(left, stage('tokens.image.in', got.image, new Matrix({ rows: got.image[0], cols: got.image[1], data: x.data, scale: 'ink', most: 1, cell: 8, label: t('digits.seen') })),
			stage('tokens.image.row', op.inputs[0], strip(x.data, op, 'x', 'ink')), stage('tokens.image.w', op.inputs[1], weights(w, op)), stage('tokens.image.out', op.output, strip(z.data, op, 'z')));
		join();
	});

	let text = null;
	const token = latest(async (i) => {
		const op = (ops.b = text.ops.find(isLinear));
		const before = text.ops[text.ops.indexOf(op) - 1];
		const embedding = text.ops.find((o) => o.op === 'embedding');
		const [e, x, y] = await Promise.all([embedding, before, op].map((o) => values(text.id, `#${o.number}`, { row: i })));
		const w = await values(text.id, op.parameters[0]);
		put(right, stage('tokens.token.in', [1, e.data.length], strip(e.data, embedding, 'e'), { id: text.ids[i] }), stage('tokens.token.row', [1, x.data.length], strip(x.data, before, 'x')),
			stage('tokens.token.w', op.inputs[1], weights(w, op)), stage('tokens.token.out', [1, y.data.length], strip(y.data, op, 'z')));
		join();
	});
	const read = latest(async () => {
		text = await prompt.inspect(gpt.name);
		chips.set(text.tokens, 0);
		await token(0);
	});

	const index = numberField(0, { max: 9999, oninput: () => image() });
	const prompt = new Prompt(() => read());
	const chips = new Chips(t('tokens'), (i) => token(i));
	const digits = await models('digits', () => image(), 'd');
	const gpt = await models('gpt', () => read(), 'g');
	root.append(same, el('div.sides', el('section.card', el('h2', t('tokens.image')), row(digits.node, field('digits.test', index)), left),
		el('section.card', el('h2', t('tokens.text')), row(gpt.node, el('div.wide', field('gpt.your', prompt.node))), chips.node, right)), el('p.lead', t('tokens.end')));
	await Promise.all([image(), read()]);
}

const stage = (key, dims, matrix, more) => el('div', el('h3', t(key, more), ' ', el('span.code', shape(dims))), matrix.node);

const strip = (data, op, name, scale) => new Matrix({ rows: 1, cols: data.length, data, scale, most: scale && 1, cell: 16, high: 28, label: `${name} ${data.length}`, pick: (_, j, value) => show(facts(op, { name: `${name}[${j}]`, value })) });

const weights = ({ data, shape: dims }, op) => new Matrix({ rows: data.length / dims.at(-1), cols: dims.at(-1), data, cell: 3, label: op.parameters[0],
	pick: (i, j, value) => show(facts(op, { name: `${op.parameters[0]}[${i}, ${j}]`, shape: dims, value })) });
