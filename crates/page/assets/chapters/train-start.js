// The form that starts or resumes a training. The settings, their defaults and their meaning come from the core.

import { attempt, button, card, el, field, get, hint, numberField, part, post, row, select, show, t, wanted, put } from '../lib/page.js';

const SHOWN = { digits: ['hidden', 'epochs', 'batch_size', 'learning_rate', 'cost', 'seed'], gpt: ['n_layer', 'n_head', 'n_embd', 'block_size', 'batch_size', 'max_iters', 'learning_rate', 'seed'] };
const SMALL = { digits: { epochs: 3 }, gpt: { n_layer: 2, n_embd: 64, max_iters: 600 } };
const LENGTH = { digits: 'epochs', gpt: 'max_iters' };

// A setting as a field; `get()` is its JSON, of the kind of its default.
function setting({ name, about, choices, default: like }, start = like) {
	const isList = Array.isArray(like);
	const control = choices ? select(choices, start) : isList ? el('input', { size: 8, value: start.join(', ') }) : numberField(start, { step: 'any' });
	control.onfocus = () => show({ name, about });
	const get = () => (isList ? control.value.split(/[ ,]+/).filter(Boolean).map((value) => wanted({ value }, name, true)) : typeof like === 'number' ? wanted(control, name) : control.value);
	return { node: field([name], control), name, get };
}

// The form. The stream tells how the training goes.
export async function starting() {
	const lists = { digits: await get('training/settings?kind=digits'), gpt: await get('training/settings?kind=gpt') };
	let [kind, speed, fields] = ['digits', 'full', []];
	const box = row();
	const name = el('input', { placeholder: t('train.auto'), maxlength: 60, size: 14 });
	const fill = () => {
		fields = SHOWN[kind].map((n) => lists[kind].settings.find((s) => s.name === n)).filter(Boolean).map((s) => setting(s, SMALL[kind][s.name]));
		put(box, fields.map((f) => f.node));
	};
	const send = (path, body) => attempt(() => post(`training/${path}`, { ...body(), speed }));
	const start = button('start', () => send('start', () => ({ kind, run: name.value.trim() || null, settings: Object.fromEntries(fields.map((f) => [f.name, f.get()])) })), { class: 'main', id: 'start' });

	const resume = part('train.resume', async () => {
		const runs = (await get('runs')).runs.filter((r) => LENGTH[r.kind] && !r.wrong && !r.training);
		if (!runs.length) return el('p.hint', t('runs.none'));
		const chosen = () => runs.find((r) => r.name === choice.value);
		const length = numberField(0, { min: 1 });
		const box = field('', length);
		const reach = () => { const key = LENGTH[chosen().kind]; length.value = chosen().settings[key]; box.firstChild.textContent = key; };
		const choice = select(runs.map((r) => r.name), runs[0].name, reach);
		reach();
		return row(field('run', choice), box, button('resume', () => { const key = LENGTH[chosen().kind]; send('resume', () => ({ run: choice.value, settings: { [key]: wanted(length, key, true) } })); }));
	}, { kind: 'behind' });
	fill();
	const node = card('train.start', row(field('train.kind', select([['digits', t('kind.digits')], ['gpt', t('kind.gpt')]], kind, (k) => { kind = k; fill(); })), field('train.name', name),
		field('speed', select(['full', 'slow', 'pause'].map((s) => [s, t(`speed.${s}`)]), speed, (s) => { speed = s; }))), box, row(start), hint('train.same'), resume);
	return { node, busy: (yes) => { start.disabled = yes; if (yes) resume.open = false; } };
}
