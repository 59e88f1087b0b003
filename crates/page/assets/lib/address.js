// The state of the page is in the address: the token, the chapter, what it shows. A link can be kept and opened.

const read = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

// The state: `t` is the token and `c` the chapter.
export function address() {
	return { t: '', c: '', ...read() };
}

export function link(chapter, more = {}) {
	return `#${new URLSearchParams({ t: address().t, c: chapter, ...more })}`;
}

// Keeps a setting of the chapter in the address, without a new entry in the history.
export function keep(changes) {
	const state = { ...read(), ...changes };
	for (const [key, value] of Object.entries(state)) if (!value) delete state[key];
	history.replaceState(null, '', `#${new URLSearchParams(state)}`);
}
