// The page "Try it": looks up what the lab measured for a choice, and shows it. It knows nothing of systemd.
'use strict';

(() => {
    // A wait of more seconds than this is drawn as a break, as in the pictures of timelines.
    const LONGEST_WAIT = 15;
    // Heights of a second in a shorter wait, in em.
    const SECOND = 0.15;
    // Shapes of marks, around the origin.
    const SHAPES = {
        good: 'M-4 0a4 4 0 1 1 8 0a4 4 0 1 1 -8 0z',
        note: 'M-3 0a3 3 0 1 1 6 0a3 3 0 1 1 -6 0z',
        bad: 'M-4 -4l8 8M-4 4l8 -8',
        signal: 'M0 -5l5 5l-5 5l-5 -5z',
        restart: 'M4 0a4 4 0 1 1 -4 -4h3M0 -7l3 3l-3 3',
    };
    const FIRST = ['on-failure', 'exit-1-at-once', '100ms', '5-in-10s'];

    const page = document.getElementById('try-it');
    const data = JSON.parse(document.getElementById('try-it-measured').textContent);
    const [form, answer] = [page.querySelector('form'), page.querySelector('section')];

    function element(name, attributes = {}, ...children) {
        const made = document.createElement(name);
        for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
        made.append(...children);
        return made;
    }

    function fieldset(question) {
        const labels = question.answers.map(({ id, label }) => {
            const input = element('input', { type: 'radio', name: question.id, value: id });
            return element('label', {}, input, element('span', {}, label));
        });
        return element('fieldset', {}, element('legend', {}, question.label), ...labels);
    }

    const chosen = () => data.questions.map(({ id }) => form.elements[id].value);

    function choose(ids) {
        data.questions.forEach(({ id }, index) => { form.elements[id].value = ids[index]; });
    }

    const link = (ids) => '#' + data.questions.map(({ id }, index) => `${id}=${ids[index]}`).join('&');

    // What the link says, or the first choice where it says nothing that is known. `null` for a link to a heading.
    function linked() {
        const said = new URLSearchParams(location.hash.slice(1));
        if (!data.questions.some(({ id }) => said.has(id))) return null;
        return data.questions.map(({ id, answers }, index) => {
            const known = answers.some((one) => one.id === said.get(id));
            return known ? said.get(id) : FIRST[index];
        });
    }

    const answersOf = (ids) => data.questions.map(({ answers }, index) => answers.find(({ id }) => id === ids[index]));

    function unitText(ids) {
        const lines = (section) => answersOf(ids).flatMap((one) => one[section] || []);
        return ['[Unit]', ...lines('unit'), '', '[Service]', ...lines('service')].join('\n') + '\n';
    }

    const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;

    // e.g. `1 min 20 s`.
    function duration(seconds) {
        const parts = [[Math.floor(seconds / 60), 'min'], [seconds % 60, 's']];
        return parts.filter(([number]) => number > 0).map((part) => part.join(' ')).join(' ');
    }

    function mark(kind) {
        const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
        svg.setAttribute('viewBox', '-8 -8 16 16');
        svg.setAttribute('aria-hidden', 'true');
        const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
        path.setAttribute('d', SHAPES[kind]);
        svg.append(path);
        return svg;
    }

    // The kind of a state, and so the shape of its bar.
    function look(state) {
        const kinds = { auto: 'waiting', start: 'starting', stop: 'stopping', final: 'stopping', failed: 'failed', dead: 'dead' };
        return kinds[state.split('-')[0]] || 'running';
    }

    function row(kind, state, time, words) {
        const made = element('li', { class: `is-${kind}` });
        if (state) made.classList.add(`in-${look(state)}`);
        made.append(
            element('time', {}, time),
            element('span', { class: 'lane', 'aria-hidden': 'true' }),
            element('span', {}),
            SHAPES[kind] ? mark(kind) : element('span', {}),
            element('span', { class: 'words' }, words),
        );
        // The lane hangs over its cell; the empty one keeps the place.
        return made;
    }

    function timeline(rows) {
        const made = [];
        let [before, state, told] = [null, '', true];
        for (const [at, kind, words] of rows) {
            const waited = before === null ? 0 : at - before;
            if (waited > LONGEST_WAIT) {
                const wait = row('wait', told ? state : '', '', duration(waited));
                wait.append(element('span', { class: 'cut', 'aria-hidden': 'true' }));
                made.push(wait);
            } else if (waited > 0) {
                made[made.length - 1].style.paddingBottom = `${waited * SECOND}em`;
            }
            if (kind === 'state') state = words;
            made.push(row(kind, kind === 'more' ? '' : state, at === before ? '' : clock(at), words));
            before = at;
            told = kind !== 'more';
        }
        return made;
    }

    // The measured choice that is most like this one: another setting of `Restart=` sooner than another limit or delay, and
    // another cause last.
    const WEIGHTS = { restart: 1, limit: 2, delay: 3, cause: 9 };

    function nearest(ids) {
        const distance = (key) => key.split(' ').reduce(
            (sum, id, index) => sum + (id === ids[index] ? 0 : WEIGHTS[data.questions[index].id]), 0);
        const keys = Object.keys(data.choices);
        return keys.reduce((best, key) => (distance(key) < distance(best) ? key : best)).split(' ');
    }

    function show() {
        const ids = chosen();
        const outcome = data.outcomes[data.choices[ids.join(' ')]];
        const says = answer.querySelector('.try-it-says');
        says.className = 'try-it-says';
        if (outcome) {
            says.textContent = outcome.says;
            const last = outcome.rows.filter(([, kind]) => kind === 'state').pop()[2];
            const more = outcome.rows[outcome.rows.length - 1][1] === 'more';
            if (!more && last !== 'dead') says.classList.add(last === 'failed' ? 'bad' : 'good');
        } else {
            const other = nearest(ids);
            const changes = answersOf(other).flatMap(({ id, label }, index) => (id === ids[index] ? [] : [`${data.questions[index].label} ${label}`.replace('= ', '=')]));
            const button = element('button', { type: 'button' }, `Show the nearest that was measured: ${changes.join(', ')}`);
            button.addEventListener('click', () => {
                choose(other);
                changed();
                form.querySelector(':checked').focus();
            });
            says.replaceChildren('Not measured: the lab was not asked about this choice. ', button);
        }
        answer.querySelector('ol').hidden = !outcome;
        answer.querySelector('ol').replaceChildren(...(outcome ? timeline(outcome.rows) : []));
        answer.querySelector('figcaption').textContent = outcome ? `The whole unit file, as it ran with systemd ${data.systemd}` : 'The unit file';
        answer.querySelector('pre').textContent = unitText(ids);
        answer.querySelector('.try-it-link').replaceChildren(element('a', { href: link(ids) }, 'Link to this choice'));
    }

    function changed() {
        show();
        history.replaceState(null, '', link(chosen()));
    }

    // Causes have long labels, and a column of their own.
    const [restart, cause, ...few] = data.questions.map(fieldset);
    form.append(cause, element('div', { class: 'few' }, restart), element('div', { class: 'few' }, ...few));
    form.addEventListener('change', changed);
    form.addEventListener('submit', (event) => event.preventDefault());
    // The arrow keys choose here; mdBook would turn the page.
    form.addEventListener('keydown', (event) => event.stopPropagation());
    window.addEventListener('hashchange', () => {
        const ids = linked();
        if (!ids) return;
        choose(ids);
        show();
    });
    choose(linked() || FIRST);
    show();
    form.hidden = false;
    answer.hidden = false;
})();
