// What mdBook leaves out for people who use a keyboard or a screen reader. Without JavaScript, the pages are the same to read.
(() => {
    // The bar with the menu is outside of all landmarks.
    document.getElementById('mdbook-menu-bar')?.setAttribute('role', 'banner');

    // A label acts as the button that shows and hides the contents: no key reaches it.
    const label = document.getElementById('mdbook-sidebar-toggle');
    const anchor = document.getElementById('mdbook-sidebar-toggle-anchor');
    if (label && anchor) {
        const button = document.createElement('button');
        button.type = 'button';
        for (const { name, value } of label.attributes) {
            if (name !== 'for') button.setAttribute(name, value);
        }
        button.append(...label.childNodes);
        const expanded = () => button.setAttribute('aria-expanded', String(anchor.checked));
        button.addEventListener('click', () => anchor.click());
        anchor.addEventListener('change', expanded);
        label.replaceWith(button);
        expanded();
    }

    // What is wider than the page scrolls: the arrow keys can only do that when it has the focus.
    const reachable = () => {
        for (const code of document.querySelectorAll('main pre > code, main .table-wrapper')) {
            if (code.scrollWidth > code.clientWidth) {
                code.tabIndex = 0;
            }
        }
    };
    addEventListener('load', reachable);
    addEventListener('resize', reachable);
    // What was folded had no width.
    addEventListener('toggle', reachable, true);
})();
