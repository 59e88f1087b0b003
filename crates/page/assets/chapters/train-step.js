// One step opened: `update_mini_batch` and `backprop`, line by line.

import { attempt, button, card, el, field, formula, get, has, latest, Matrix, modelsOf, number, post, put, row, say, scroll, select, shape, show, svg, t, values } from '../lib/page.js';
import { lines as source } from '../lib/source.js';

const WIDE = 74;

// The section; `training(now)` tells it what is being trained.
export function openedStep() {
	const [box, choice] = [el('div'), el('div')];
	let control = null;
	const open = button('step.open', () => attempt(async () => put(box, walk(await post('digits/step', { model: control.value })))), { class: 'main', id: 'open-step' });
	const training = latest(async (now) => {
		const options = modelsOf(await get('about'), 'digits');
		if (now?.kind === 'digits' && now.parameters.length) options.unshift(['training', t('step.training')]);
		control = select(options, options[0][0]);
		put(choice, field('model', control));
	});
	return { node: card('step.title', el('p', t('step.about')), row(choice, open), box), training };
}

// Walks through the lines of a step.
function walk({ id, lines, functions, loss, batch, learning_rate: eta, labels, more }) {
	let at = 0;
	const [code, picture, place] = [el('div'), el('div'), el('span.hint')];
	const slider = el('input', { type: 'range', min: 0, max: lines.length - 1, 'aria-label': t('step.line'), oninput: () => go(Number(slider.value)), value: 0 });
	const way = flow(lines, (i) => go(i));

	function go(to) {
		at = Math.max(0, Math.min(lines.length - 1, to));
		const line = lines[at];
		const own = functions.find((f) => f.name === line.function);
		slider.value = at;
		place.textContent = `${at + 1} / ${lines.length}`;
		put(code, el('h3.code', own.name), source(own.text, own.line, [line.line]));
		requestAnimationFrame(() => {
			const [list, marked] = [code.querySelector('ol'), code.querySelector('.marked')];
			if (marked) list.scrollTop = marked.offsetTop - list.offsetTop - list.clientHeight / 2;
		});
		for (const stop of way.querySelectorAll('.stop')) {
			stop.classList.toggle('now', Number(stop.dataset.at) === at);
			stop.classList.toggle('done', Number(stop.dataset.at) < at);
		}
		say(`${line.name}: ${line.equation}`);
		attempt(() => draw(line, own.file));
	}

	async function draw(line, file) {
		const key = `line.${line.update ? 'update' : line.name.replace(/[^a-z_]/gi, '')}`;
		const about = has(key) ? t(key, { l: line.layer }) : '';
		const facts = { name: line.name, about, shape: line.shape, axes: line.axes && shape(line.axes), equation: line.equation, place: `${file}:${line.line}` };
		show(facts);
		const value = line.value && await values(id, line.value, { gradient: line.gradient && 1, updated: line.update && 1 });
		if (lines[at] !== line) return;
		const cols = value?.shape.at(-1) ?? 1;
		const rows = value ? value.data.length / cols : 0;
		const rowNames = line.axes?.[0] === 'B' ? labels.map((label, i) => t('example.n', { i, label })) : undefined;
		put(picture, el('h3', el('span.code', line.name), ` ${shape(line.shape ?? [])}`), formula(line.equation), el('p', about),
			rows * cols > 1 ? new Matrix({ rows, cols, data: value.data, cell: 18, label: line.name, rowNames, scale: line.value === 'x' ? 'ink' : 'signed',
				pick: (i, j, v) => show({ ...facts, name: `${line.name}[${i}, ${j}]`, value: v, rows: [[t('row'), rowNames?.[i]]] }) }).node : rows > 0 && el('p.big', number(value.data[0], 6)));
	}

	go(0);
	return el('div', el('p.hint', t('step.facts', { loss: number(loss, 6), batch, eta: number(eta), labels: labels.join(' ') })), more.length > 0 && el('p.note', t('step.more', { settings: more.join(', ') })),
		way, row(button('before', () => go(at - 1)), button('next', () => go(at + 1), { class: 'main' }), slider, place), el('div.sides', picture, code));
}

const short = ({ name, layer }) => name.replace('nabla_', '∇').replace('delta', 'δ') + (layer && !/\d/.test(name) ? ` ${layer}` : '');

// The way through the network: values to the right, delta back to the left.
function flow(lines, go) {
	const stops = lines.map((line, i) => ({ line, i })).filter(({ line }) => !line.update);
	const turn = stops.findIndex(({ line }) => line.gradient);
	const there = turn < 0 ? stops : stops.slice(0, turn);
	const back = stops.slice(there.length);
	const n = Math.max(there.length, back.length);
	const stop = ({ line, i }, x, y, kind) => svg(`g.stop.${kind}`, { 'data-at': i, onclick: () => go(i) }, svg('rect', { x, y, width: WIDE - 14, height: 30, rx: 6 }), svg('text', { x: x + WIDE / 2 - 7, y: y + 20 }, short(line)));
	return scroll('step.flow', svg('svg', { viewBox: `-2 0 ${n * WIDE} 86`, width: n * WIDE, height: 86, role: 'img', 'aria-label': t('step.flow') },
		there.map((s, k) => [stop(s, k * WIDE, 4, 'there'), k > 0 && svg('text', { x: k * WIDE - 7, y: 24 }, '→')]),
		back.map((s, k) => [stop(s, (n - 1 - k) * WIDE, 50, 'back'), k > 0 && svg('text', { x: (n - k) * WIDE - 7, y: 70 }, '←')])), '.flow');
}
