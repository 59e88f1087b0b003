// The choice of a model: the runs of one kind, the latest first, then the untrained one.

import { el } from './dom.js';
import { get } from './api.js';
import { address, keep, link } from './address.js';
import { field, select } from './controls.js';
import { named, number, t } from './i18n.js';

// The models of a kind as `[name, text]`, those that work.
export const modelsOf = (about, kind) => about.models.filter((m) => m.kind === kind && !m.wrong).map((m) => [m.name, m.trained ? title(m) : t('untrained', { name: m.name })]);

// A choice whose `name` is the chosen model; `chosen(name)` hears each change. `key` keeps it in the address.
export async function models(kind, chosen, key = 'm') {
	const about = await get('about');
	const options = modelsOf(about, kind);
	const asked = address()[key];
	const start = options.some(([name]) => name === asked) ? asked : options[0][0];
	const choice = { name: start };
	const control = select(options, start, (name) => {
		choice.name = name;
		keep({ [key]: name });
		chosen(name);
	});
	const trained = about.models.some((m) => m.kind === kind && m.trained);
	choice.node = el('div', field('model', control), trained ? '' : el('p.hint', t(`none.${kind}`), ' ', kind === 'translate' ? '' : el('a', { href: link('train') }, t('train.title'))));
	return choice;
}

const title = ({ name, best, metric }) => (typeof best === 'number' ? `${name}, ${named('metric', metric)} ${number(best)}` : name);
