// Draw a digit, and see what the network sees and says.

import { ask, button, card, el, hint, Matrix, models, latest, percent, query, row, say, show, t, put } from '../lib/page.js';
import { Pad, SIDE } from '../lib/pad.js';
import { Layers } from './digits-layers.js';
import { pictures } from './digits-pictures.js';

export async function mount(root, ended) {
	let again = () => test(0); // reads the same picture with another model
	let seen = null;
	const [verdict, picture] = [el('p.verdict', { id: 'verdict' }), el('div')];
	const layers = new Layers();
	const own = {}; // what went wrong when a picture was read
	const look = (rows, cols) => {
		seen = new Matrix({ rows, cols, scale: 'ink', cell: 140 / cols, data: new Float32Array(rows * cols), most: 1, label: t('digits.seen'),
			pick: (i, j, value) => show({ name: t('digits.pixel'), about: t('digits.pixel.about', { i: i * cols + j, n: rows * cols }), shape: [1, rows * cols], value, rows: [[t('place'), `${i}, ${j}`]] }) });
		put(picture, seen.node);
	};
	look(28, 28);

	function view(read, more = '') {
		const known = read?.layers;
		pad.frame(read?.box);
		seen.update(known ? read.image.map((p) => p / 255) : seen.data.map(() => 0), 1);
		layers.update(known ? read : null);
		put(verdict, (known ? [el('strong.digit', read.class), ' ', t(`digits.${read.sure ? 'sure' : read.doubt ?? 'unsure'}`, { p: percent(read.confidence), other: read.classes[read.runner_up.digit], q: percent(read.runner_up.confidence) }),
			' ', read.found > 1 ? t('digits.several', { n: read.found }) : '', more] : [t('digits.draw')]));
	}

	const of = (more) => query({ model: choice.name, ...more });
	// What the model reads, unless the weights of another one are shown by now: those read it again.
	const reading = async (path, more, send) => {
		const model = choice.name;
		const read = await (await ask(`digits/${path}?${of(more)}`, send)).json();
		return model === layers.model && read;
	};
	const draw = latest(async (time) => {
		again = () => draw(performance.now());
		const read = await reading('draw', { side: SIDE }, { body: pad.dots() });
		if (read) view(read);
		requestAnimationFrame(() => performance.measure('draw', { start: time, end: performance.now() }));
	}, own);
	const pad = new Pad(draw);
	const pick = (read, more) => {
		pad.empty();
		view({ ...read, box: null }, more);
		say(verdict.textContent);
	};
	const test = latest(async (index) => {
		again = () => test(index);
		const read = await reading(`test/${index}`);
		if (read) pick(read, t('digits.truth', { label: read.name, index }));
	}, own);
	const load = latest(async () => {
		await layers.load(choice.name, look);
		await again();
	}, own);
	const choice = await models('digits', () => { load(); more.reload(); });
	const more = pictures({ of, reading, test, pick, repeat: (work) => { again = work; }, ended });

	root.append(row(choice.node),
		el('div.cards', card('digits.yours', pad.node, el('p.hint', { id: 'pad-help' }, t('pad.help')), button('clear', () => { pad.empty(); draw(performance.now()); })),
			card('digits.seen', el('div.seen', picture, verdict), hint('digits.seen.about'), layers.bars.node)),
		layers.node, more.node);
	await load();
}
