#include "report/page.h"

namespace glia::report {

// Each chart has its numbers beside it as JSON; all text is set as text, never as HTML.
const char* const kScript = R"(
(() => {
  const make = (kind, parent) => {
    const div = document.createElement('div');
    div.className = kind;
    div.hidden = true;
    return parent.appendChild(div);
  };
  const tip = make('tip', document.body);
  const text = (v, unit) => {
    if (v == null) return '–';
    const size = Math.abs(v), plain = v == 0 || (size >= 1e-4 && size < 1e15);
    return (plain ? v.toLocaleString('en', {maximumSignificantDigits: 15}) : String(v)) + unit;
  };
  const place = ([low, high, log], v) => v == null || (log && v <= 0) ? NaN : ((log ? Math.log10(v) : v) - low) / (high - low);
  const nearest = (items, distance) => {
    let best = -1, least = Infinity;
    items.forEach((item, i) => {
      const d = distance(item, i);
      if (d < least) least = d, best = i;
    });
    return [best, least];
  };

  // Each says what lies at (u, v) of a box, both from 0 to 1: lines of text with the look of their
  // key, and where the mark goes.
  const kinds = {
    lines(data, names) {
      const at = data.series.map(s => s.x.map((x, i) => s.y[i] == null ? NaN : place(data.x, x)));
      return (u, v, box) => {
        const hits = at.map(xs => nearest(xs, x => Math.abs(x - u)));
        const [first] = nearest(hits, hit => hit[0] < 0 ? Infinity : hit[1]);
        if (first < 0) return;
        const x = at[first][hits[first][0]], i = hits[first][0];
        const bins = data.bins && (data.whole ? text(Math.round(data.series[first].x[i]), data.units[0])
          : text(data.bins[0][i], '') + ' to ' + text(data.bins[1][i], data.units[0]));
        const head = data.bins ? bins : data.name + ' ' + text(data.series[first].x[i], data.units[0]);
        const rows = [['', head]];
        data.series.forEach((s, k) => {
          const [j] = hits[k];
          if (j < 0 || Math.abs(at[k][j] - x) * box.width > 8) return;
          const other = s.x[j] != data.series[first].x[i] ? ' at ' + text(s.x[j], data.units[0]) : '';
          const spread = s.d ? ' ± ' + text(s.d[j], data.units[1]) : '';
          rows.push([names[k].look, names[k].name + ' ' + text(s.y[j], data.units[1]) + spread + other]);
        });
        return {rows, style: `left:${100 * x}%`};
      };
    },
    points(data, names) {
      const [xs, ys, owners] = data.points;
      const at = xs.map((x, i) => [place(data.x, x), place(data.y, ys[i])]);
      return (u, v, box) => {
        const [i, distance] = nearest(at, ([x, y]) => Math.hypot((x - u) * box.width, (y - v) * box.height));
        if (distance > 16) return;
        const key = names[owners[i]] ?? {look: '', name: ''}, rows = [];
        if (data.names) rows.push(['', data.names[i]]);
        if (key.name || data.steps) rows.push([key.look, key.name + (data.steps ? ' step ' + data.steps[i] : '')]);
        rows.push(['', '(' + text(xs[i], data.units[0]) + ', ' + text(ys[i], data.units[1]) + ')']);
        return {rows, style: `left:${100 * at[i][0]}%;bottom:${100 * at[i][1]}%;margin:0 0 -6.5px -6.5px`};
      };
    },
    cells(data) {
      const n = data.columns.length, m = data.rows.length;
      return (u, v) => {
        const c = Math.min(n - 1, Math.max(0, Math.floor(u * n)));
        const r = Math.min(m - 1, Math.max(0, Math.floor((1 - v) * m)));
        const label = (kind, name) => ['', (kind ? kind + ': ' : '') + name];
        return {
          rows: [label(data.names[0], data.rows[r]), label(data.names[1], data.columns[c]),
                 ['', text(data.values[r * n + c], data.unit)]],
          style: `left:${100 * c / n}%;top:${100 * r / m}%;width:${100 / n}%;height:${100 / m}%`
        };
      };
    }
  };

  for (const script of document.querySelectorAll('script[type="application/json"]')) {
    const data = JSON.parse(script.textContent), area = script.parentNode.querySelector('.area');
    const names = [...script.closest('section').querySelectorAll('.key')].map(
      key => ({look: key.className, name: key.firstChild.textContent}));
    const cross = make('cross ' + data.kind, area);
    let find;
    const hide = () => tip.hidden = cross.hidden = true;
    const show = event => {
      find ??= kinds[data.kind](data, names);
      const box = area.getBoundingClientRect();
      const found = find((event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height, box);
      if (!found) return hide();
      cross.style = found.style;
      tip.replaceChildren(...found.rows.map(([look, line]) => {
        const row = document.createElement('div');
        if (look) row.appendChild(document.createElement('i')).className = look.replace('key', '');
        row.append(line);
        return row;
      }));
      tip.hidden = cross.hidden = false;
      const right = event.clientX + 16 + tip.offsetWidth > innerWidth;
      tip.style.left = Math.max(4, right ? event.clientX - 16 - tip.offsetWidth : event.clientX + 16) + 'px';
      tip.style.top = Math.max(4, Math.min(event.clientY - 10, innerHeight - tip.offsetHeight - 4)) + 'px';
    };
    area.addEventListener('pointermove', show);
    area.addEventListener('pointerdown', show);
    area.addEventListener('pointerleave', hide);
  }

  for (const table of document.querySelectorAll('table')) {
    const heads = [...table.querySelectorAll('th')], body = table.tBodies[0];
    heads.forEach((head, c) => head.onclick = () => {
      const sign = head.ariaSort == 'ascending' ? -1 : 1;
      heads.forEach(other => other.removeAttribute('aria-sort'));
      head.ariaSort = sign > 0 ? 'ascending' : 'descending';
      const key = row => row.cells[c].dataset.v ?? row.cells[c].textContent;
      const compare = (a, b) => {
        const x = Number(key(a)), y = Number(key(b));
        if (isNaN(x) && isNaN(y)) return sign * key(a).localeCompare(key(b));
        return isNaN(x) - isNaN(y) || sign * (x - y);
      };
      body.append(...[...body.rows].sort(compare));
    });
  }
})();
)";

}  // namespace glia::report
