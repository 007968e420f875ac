// The style of the developer's page, light and dark, from 320 pixels on.

export const style = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#f7f8f9, #14181b);
  --paper: light-dark(#fff, #1c2226);
  --ink: light-dark(#1a2126, #e4e9ec);
  --soft: light-dark(#586670, #9aa7b0);
  --line: light-dark(#d9dfe3, #323b41);
  --accent: light-dark(#0b6a75, #67cbd6);
  --mono: ui-monospace, "Cascadia Code", "SF Mono", Menlo, Consolas, monospace;
}
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
header, main { max-width: 64rem; margin: 0 auto; padding: 0 1rem }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; padding-block: 1rem; border-bottom: 1px solid var(--line) }
header a { font-weight: 600 }
header p { margin: 0 0 0 auto; color: var(--soft) }
h1 { font-size: 1.25rem; margin: 1.25rem 0 .5rem }
h2 { font-size: 1rem; margin: 2rem 0 .5rem }
a { color: var(--accent); text-underline-offset: .2em }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px }
form, nav { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; margin: .75rem 0 }
input[type=search] { flex: 1 1 12rem; min-width: 0 }
input[type=search], button { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 6px; padding: .4rem .7rem }
button { cursor: pointer }
.wide { overflow-x: auto; background: var(--paper); border: 1px solid var(--line); border-radius: 8px }
table { width: 100%; border-collapse: collapse }
th, td { text-align: left; padding: .45rem .75rem; border-top: 1px solid var(--line); vertical-align: top }
thead th { border-top: 0; color: var(--soft); font-weight: 500; font-size: .85rem; white-space: nowrap }
td { min-width: 4rem }
.number { text-align: right; font-variant-numeric: tabular-nums }
.name { min-width: 9rem; font-family: var(--mono); font-size: .9rem }
ol { list-style: none; margin: 0; padding: 0; background: var(--paper); border: 1px solid var(--line); border-radius: 8px }
li + li { border-top: 1px solid var(--line) }
summary { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: .45rem .75rem; cursor: pointer }
summary::before { content: "+"; color: var(--soft); font-family: var(--mono) }
details[open] > summary::before { content: "\\2212" }
summary b { font-weight: 600 }
summary span, time { color: var(--soft); font-variant-numeric: tabular-nums }
summary time { margin-left: auto }
.inside { padding: 0 .75rem .75rem }
pre { margin: .25rem 0 .75rem; padding: .6rem .75rem; background: var(--ground); border-radius: 6px; font: .85rem/1.5 var(--mono); white-space: pre-wrap }
p.empty { color: var(--soft); padding: .75rem; margin: 0 }
small { color: var(--soft) }
`

// Polls for new events every second, unless it is paused or the page is hidden; the node renders the HTML.
export const liveScript = `
const list = document.querySelector('ol[data-newer]'), button = document.querySelector('#pause'), status = document.querySelector('[role=status]')
const everyMs = 1000, shownMax = 200
let newer = list.dataset.newer, paused = false
button.addEventListener('click', () => {
  paused = !paused
  button.textContent = paused ? 'Go on' : 'Pause'
  status.textContent = paused ? 'paused' : 'live'
})
const ask = async () => {
  const query = new URLSearchParams(location.search)
  query.set('from', newer)
  query.set('direction', 'forwards')
  query.set('part', 'events')
  const response = await fetch('browse?' + query)
  if (!response.ok) throw new Error()
  const part = await response.json()
  if (paused) return
  newer = part.newer
  list.insertAdjacentHTML('afterbegin', part.html)
  while (list.children.length > shownMax) list.lastElementChild.remove()
  status.textContent = 'live'
}
const again = async () => {
  if (!paused && !document.hidden) await ask().catch(() => { status.textContent = 'the node does not answer' })
  setTimeout(again, everyMs)
}
again()
`
