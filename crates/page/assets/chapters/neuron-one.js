// One neuron: numbers to drag, the cost curve, one gradient step at a time.

import { attempt, button, card, Chart, Drag, el, field, formula, latest, number, post, row, select, show, svg, t, put } from '../lib/page.js';

const START = { x: 1, w: 2, b: 2, y: 0, lr: 0.5 };
const SWEEP = { row: 0, column: 0, from: -6, to: 6, n: 121 };
export const signed = (x) => (x < 0 ? `(${number(x, 3)})` : number(x, 3));

export async function neuron() {
	const state = { ...START };
	let [cost, of, history] = ['quadratic', 'w', []];
	const curve = new Chart(t('neuron.curve'), of, t('cost'));
	const path = new Chart(t('neuron.path'), t('step'), t('cost'));
	const drags = {};
	const drag = (name, more) => (drags[name] = new Drag({ value: state[name], label: t(`neuron.${name}`), ...more, changed: (v) => { state[name] = v; if (name !== 'lr') history = []; load(); } })).node;
	const set = (values) => { Object.assign(state, values); for (const [name, d] of Object.entries(drags)) d.set(state[name]); };
	const picture = new Picture();
	const worked = el('div');
	const ask = (steps, sweep = null) => post('neuron', { x: [[state.x]], w: [[state.w]], b: [state.b], y: [[state.y]], activation: 'sigmoid', cost, lr: state.lr, steps, sweep });

	const load = latest(async () => {
		const got = await ask(0, { of, ...SWEEP });
		const [z, a, dw, db] = [got.z[0][0], got.a[0][0], got.dw[0][0], got.db[0]];
		if (!history.length) history = [[0, got.cost]];
		picture.update({ ...state, z, a });
		put(worked, [`z = w x + b = ${signed(state.w)} * ${signed(state.x)} + ${signed(state.b)} = ${number(z)}`, `a = 1 / (1 + exp(-z)) = ${number(a)}`,
			`${cost === 'quadratic' ? 'C = (a - y)^2 / 2' : 'C = -(y ln a + (1 - y) ln (1 - a))'} = ${number(got.cost)}`, `dC / dw = ${number(dw)}, dC / db = ${number(db)}`].map(formula));
		curve.x = of;
		curve.update([{ name: t('cost'), points: got.sweep.at.map((at, i) => [at, got.sweep.cost[i]]), dot: [state[of], got.cost] }]);
		path.node.hidden = history.length < 2;
		path.update([{ name: t('cost'), points: history, colour: 1 }]);
		show({ name: t('neuron.one'), about: t('neuron.sees', { z: number(z), a: number(a) }), shape: [1, 1], axes: '(B, N)', equation: 'a = 1 / (1 + exp(-z))', value: a,
			rows: [['z', number(z, 6)], [t('cost'), number(got.cost, 6)], ['∂C/∂w', number(dw, 6)], ['∂C/∂b', number(db, 6)]], place: got.ops[0]?.caller });
	});

	// A step begins when the one before is drawn, however fast the clicks come.
	let last = Promise.resolve();
	const queue = (work) => { last = last.then(() => node.isConnected && attempt(work)); };
	const learn = (n) => button(t('neuron.steps', { n }), () => queue(async () => {
		const got = await ask(n);
		history.push(...got.path.map((at, i) => [history.length + i, at.cost]));
		const { w, b } = got.path.at(-1);
		set({ w: [w].flat(2)[0], b: [b].flat()[0] });
		await load();
	}), { class: n === 1 && 'main' });
	const reset = () => queue(() => { set(START); history = []; load(); });

	const holes = { x: () => drag('x'), w: () => drag('w'), b: () => drag('b'), y: () => drag('y', { min: 0, max: 1 }) };
	const sentence = el('p.lead', t('neuron.sentence').split(/\{(\w+)\}/).map((piece, i) => (i % 2 ? holes[piece]() : piece)));
	const node = card('neuron.one', sentence, el('p.hint', t('drag.help')),
		el('div.sides', el('div', picture.node, worked),
			el('div', row(field('cost', select([['quadratic', t('cost.quadratic')], ['cross-entropy', t('cost.cross-entropy')]], cost, (c) => { cost = c; history = []; load(); })),
				field('neuron.over', select(['w', 'b'], of, (o) => { of = o; load(); }))), curve.node)),
		el('h3', t('neuron.step')), el('p', t('neuron.step.about')), formula('w -> w - eta * dC / dw, b -> b - eta * dC / db'),
		el('p', t('neuron.lr'), ' η = ', drag('lr', { min: 0.05, max: 10, step: 0.05 })), row([1, 10, 100].map(learn), button('reset', reset)), path.node);
	await load();
	return node;
}

// The neuron as a picture: input, weight, sum, sigmoid, output.
class Picture {
	constructor() {
		const circle = (x) => svg('circle', { cx: x, cy: 50, r: 26 });
		const line = (x1, y1, x2, y2) => svg('line', { x1, y1, x2, y2 });
		const text = (x, y, words = '') => svg('text', { x, y }, words);
		this.texts = { x: text(40, 55), w: text(106, 36), z: text(180, 55), a: text(330, 55), b: text(180, 112) };
		this.line = line(66, 50, 154, 50);
		this.out = circle(330);
		this.node = svg('svg.art', { viewBox: '0 0 370 122', role: 'img' }, this.line, line(206, 50, 304, 50), line(180, 76, 180, 98), circle(40), circle(180), this.out,
			svg('path', { d: 'M238 60 C254 60 254 40 270 40' }), text(40, 16, 'x'), text(180, 16, 'z = w x + b'), text(330, 16, 'a = σ(z)'), Object.values(this.texts));
	}

	update({ x, w, b, z, a }) {
		const now = { x: number(x, 3), w: `w = ${number(w, 3)}`, b: `b = ${number(b, 3)}`, z: number(z, 3), a: number(a, 3) };
		for (const [name, text] of Object.entries(this.texts)) text.textContent = now[name];
		this.line.style.stroke = w < 0 ? 'var(--neg)' : 'var(--pos)';
		this.line.style.strokeWidth = Math.min(8, 1 + Math.abs(w));
		this.out.style.fill = `color-mix(in srgb, var(--pos) ${Math.round(60 * a)}%, var(--card))`;
		this.node.setAttribute('aria-label', t('neuron.picture', now));
	}
}
