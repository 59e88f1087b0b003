// The notes, with the live pictures of the other chapters in their places.

import { address, el, get, language as lang, link, part, row, t } from '../lib/page.js';
import { blocks } from '../lib/blocks.js';
import { chapter as load, CHAPTERS } from './list.js';

export async function mount(root, ended) {
	const { notes } = await get(`notes?lang=${lang}`);
	const { note: asked } = address();
	const at = Math.max(0, notes.findIndex((n) => n.name === asked));
	const entry = (n) => el('li', el('a', { href: link('notes', { note: n.name }), 'aria-current': n === notes[at] && 'page' }, n.title));
	const step = (n, key) => (n ? el('a', { href: link('notes', { note: n.name }) }, `${t(key)}: ${n.title}`) : '');
	const note = await get(`notes/${encodeURIComponent(notes[at].name)}?lang=${lang}`);

	// The place of a live picture: the chapter is there while it is open.
	const live = ({ chapter }) => {
		if (!CHAPTERS.includes(chapter)) return '';
		const ends = [];
		const end = () => { for (const one of ends.splice(0)) one(); };
		const node = part(t('notes.live', { chapter: t(`${chapter}.title`) }), async () => {
			end();
			const inside = el(`div.chapter.${chapter}`);
			await (await load(chapter)).mount(inside, (one) => (node.open && node.isConnected ? ends.push(one) : one()));
			return inside;
		}, { kind: 'part.live-part' });
		node.addEventListener('toggle', () => node.open || end());
		ended(end);
		return node;
	};
	root.append(part('notes.list', () => el('ol', notes.map(entry))), el('article', blocks(note.blocks, live)), row(step(notes[at - 1], 'before'), step(notes[at + 1], 'next')));
}
