// The way through the chapters.

import { el, link, t } from '../lib/page.js';
import { CHAPTERS } from './list.js';

export function mount(root) {
	root.append(el('ol.cards', CHAPTERS.map((name, i) => el('li.card', el('h2', el('a', { href: link(name) }, `${i + 1}. ${t(`${name}.title`)}`)), el('p', t(`${name}.lead`))))),
		el('p.note', t('letters.all')));
}
