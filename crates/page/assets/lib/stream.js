// Server-sent events over fetch, so that the token can be a header. A browser allows six connections to a server:
// a hidden tab closes its stream, and opens it again when it is seen.

import { ask, offline } from './api.js';
import { put } from './dom.js';
import { failure } from './parts.js';

const PAUSE = 2000; // ms before a stream that ended is opened again

// Reads the events of an answer: `heard(name, data)` for each.
export async function events(response, heard) {
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = '';
	for (;;) {
		const { value, done } = await reader.read().catch(offline);
		if (done) return;
		const parts = (rest + value).split('\n\n');
		rest = parts.pop();
		for (const part of parts) {
			const of = (name) => part.split('\n').filter((l) => l.startsWith(name)).map((l) => l.slice(name.length).trim()).join('\n');
			if (of('data:')) heard(of('event:'), JSON.parse(of('data:')));
		}
	}
}

// Hears the events of `path`, and `open` each time that it is opened, until the function that it returns is called.
// While there is no server, the page says so; a server that does not know the token is another one.
export function stream(path, heard) {
	let control, over, note;
	async function open() {
		if (over || control || document.hidden) return;
		const own = (control = new AbortController());
		try {
			const answer = await ask(path, { signal: own.signal });
			note?.remove();
			heard('open');
			await events(answer, (name, data) => own.signal.aborted || heard(name, data));
		} catch (error) {
			if (own.signal.aborted) return;
			over = error.status === 401;
			if (!note?.isConnected || over) put(document.getElementById('error'), note = failure(error));
		}
		if (own.signal.aborted) return;
		control = null;
		setTimeout(open, PAUSE);
	}
	const close = () => { control?.abort(); control = null; };
	const seen = () => (document.hidden ? close() : open());
	document.addEventListener('visibilitychange', seen);
	open();
	return () => { over = true; close(); document.removeEventListener('visibilitychange', seen); };
}
