// Pictures to read: test images, the worst mistakes, a photo.

import { attempt, button, bytes, el, get, part, percent, row, t, paint, put } from '../lib/page.js';

const PAGE = 24;
const WORST = 30;

function image(data, label, title, onclick, { rows = 28, cols = 28 } = {}) {
	const canvas = el('canvas', { 'aria-hidden': 'true' });
	paint(canvas, data, rows, cols, { most: 255, scale: 'ink' });
	return el('li', el('button.picture', { type: 'button', onclick, 'aria-label': title, title }, canvas, el('span.v', label)));
}

// `reading` asks the model; `test(index)` reads a test image; `pick(read, sentence)` shows a digit of a photo;
// `repeat(work)` hears how to read it again.
export function pictures({ of, reading, test, pick, repeat, ended }) {
	let from = 0;
	const photos = el('ul.gallery');
	const turn = (by) => button(t(by < 0 ? 'before' : 'next'), () => { from = Math.max(0, from + by); images.refresh(); });
	const images = part('digits.test', async () => {
		const got = await get(`digits/test?${of({ from, n: PAGE })}`);
		return [el('ul.gallery', got.images.map((x) => image(bytes(x.pixels), x.name, t('digits.test.n', { i: x.index, label: x.name }), () => test(x.index), got))),
			row(from > 0 && turn(-PAGE), from + PAGE < got.total && turn(PAGE))];
	}, { open: true });
	const mistakes = part('digits.mistakes', async () => {
		const got = await get(`digits/mistakes?${of({ n: WORST })}`);
		return [el('p.hint', t('digits.mistakes.of', { correct: got.correct, images: got.images, share: percent(got.correct / got.images) })),
			el('ul.gallery', got.mistakes.map((m) => image(bytes(m.pixels), `${m.name} → ${m.said_name}`, t('digits.mistake', { i: m.index, label: m.name, said: m.said_name }), () => test(m.index), got)))];
	});

	const photo = (file) => file && attempt(async () => {
		repeat(() => photo(file));
		const got = await reading('photo', {}, { body: file });
		if (!got) return;
		put(photos, got.digits.map((d) => image(d.image, d.class, t('digits.photo.n', { digit: d.class }), () => pick(d))));
		if (got.digits.length) pick(got.digits[0], t('digits.photo.found', { n: got.digits.length }));
	});
	// The same file again is a choice too.
	const input = el('input', { type: 'file', accept: 'image/png,image/jpeg', id: 'photo', onclick: () => { input.value = ''; }, onchange: () => photo(input.files[0]) });
	const paste = (e) => photo(e.clipboardData?.files[0]);
	addEventListener('paste', paste);
	ended(() => removeEventListener('paste', paste));
	const drop = el('section.card', { ondragover: (e) => e.preventDefault(), ondrop: (e) => { e.preventDefault(); photo(e.dataTransfer.files[0]); } },
		el('h2', t('digits.photo')), el('div.row', el('label', { for: 'photo' }, t('digits.photo.how')), input), photos);
	return { node: el('div', images, mistakes, drop), reload: () => { put(photos); images.refresh(); mistakes.refresh(); } };
}
