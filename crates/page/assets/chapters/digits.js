// Draw a digit, and see what the network sees and says.

import { ask, attempt, button, card, el, get, hint, Matrix, models, latest, percent, query, row, say, show, t, put } from '../lib/page.js';
import { Pad, SIDE } from '../lib/pad.js';
import { Layers } from './digits-layers.js';
import { pictures } from './digits-pictures.js';

export async function mount(root, ended) {
	let again = null; // reads the same picture with another model
	const verdict = el('p.verdict', { id: 'verdict' });
	const layers = new Layers();
	const seen = new Matrix({ rows: 28, cols: 28, scale: 'ink', cell: 5, data: new Float32Array(784), most: 255, label: t('digits.seen'),
		pick: (i, j, value) => show({ name: t('digits.pixel'), about: t('digits.pixel.about', { i: i * 28 + j }), shape: [1, 784], value: value / 255, rows: [[t('place'), `${i}, ${j}`]] }) });

	function view(read, more = '') {
		const known = read?.layers;
		pad.frame(read?.box);
		seen.update(known ? read.image : new Float32Array(784), 255);
		layers.update(known ? read : null);
		put(verdict, (known ? [el('strong.digit', read.class), ' ', t(read.sure ? 'digits.sure' : 'digits.unsure', { p: percent(read.confidence), other: read.classes[read.runner_up.digit], q: percent(read.runner_up.confidence) }),
			' ', read.found > 1 ? t('digits.several', { n: read.found }) : '', more] : [t('digits.draw')]));
	}

	const of = (more) => query({ model: choice.name, ...more });
	const draw = latest(async (time) => {
		again = () => draw(performance.now());
		view(await (await ask(`digits/draw?${of({ side: SIDE })}`, { body: pad.dots() })).json());
		requestAnimationFrame(() => performance.measure('draw', { start: time, end: performance.now() }));
	});
	const pad = new Pad(draw);
	const pick = (read, more) => {
		pad.empty();
		view({ ...read, box: null }, more);
		say(verdict.textContent);
	};
	const test = (index) => attempt(async () => {
		again = () => test(index);
		const read = await get(`digits/test/${index}?${of()}`);
		pick(read, t('digits.truth', { label: read.label, index }));
	});
	const choice = await models('digits', async () => { await attempt(() => layers.load(choice.name)); more.reload(); again(); });
	const more = pictures({ of, test, pick, ended });

	root.append(row(choice.node),
		el('div.cards', card('digits.yours', pad.node, el('p.hint', { id: 'pad-help' }, t('pad.help')), button('clear', () => { pad.empty(); draw(performance.now()); })),
			card('digits.seen', el('div.seen', seen.node, verdict), hint('digits.seen.about'), layers.bars.node)),
		layers.node, more.node);
	await layers.load(choice.name);
	view(null);
	await test(0);
}
