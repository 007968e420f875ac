// What is connected to what, drawn on the server: the event store, its followers, what they keep, and who is served by it.
import type { FollowerShown, Operations } from '@headwater/deciders/operations/operations'
import { countText, type Mood, placeText, rateText, type Standing, standingOf } from './standing.ts'

type BoxProps = {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly title: string
  readonly standing: Standing
}

const marks: Readonly<Record<Mood, string>> = {
  good: 'M0 4a4 4 0 1 0 8 0a4 4 0 1 0-8 0z',
  waits: 'M0 8l4-8l4 8z',
  bad: 'M0 0h8v8h-8z',
}

const Box = ({ x, y, width, height, title, standing: { mood, text } }: BoxProps) => (
  <g className="box" data-mood={mood}>
    <rect x={x} y={y} width={width} height={height} rx="10" />
    <text className="name" x={x + 14} y={y + height / 2 - 5}>
      {title}
    </text>
    <path d={marks[mood]} transform={`translate(${x + 14} ${y + height / 2 + 7})`} />
    <text x={x + 29} y={y + height / 2 + 16}>
      {text}
    </text>
  </g>
)

const Arrow = ({ from, to, y, label }: { from: number; to: number; y: number; label?: string }) => (
  <g className="flow">
    <path d={`M${from} ${y}H${to - 1}m-6 -5l6 5l-6 5`} />
    {label && (
      <text x={(from + to) / 2} y={y - 7}>
        {label}
      </text>
    )}
  </g>
)

const rowHeight = 58
const rowGap = 16
const yOf = (row: number) => row * (rowHeight + rowGap) + 1
const spanOf = (rows: number) => rows * (rowHeight + rowGap) - rowGap
const midOf = (row: number) => yOf(row) + rowHeight / 2

const known = (isThere: boolean): Standing => ({
  mood: isThere ? 'good' : 'bad',
  text: isThere ? 'Answers' : 'Does not answer',
})

/** The jobs' own place is the last row. */
const partsOf = ({ store, postgres, live, jobs, webhooks, followers }: Operations) => {
  const open = jobs?.reduce((sum, { running, due }) => sum + running + due, 0)
  const failed = (jobs?.reduce((sum, { parked }) => sum + parked, 0) ?? 0) + (webhooks?.parked ?? 0)
  return {
    store: known(store.answers),
    postgres: known(postgres.answers),
    sqlite: known(!followers.some(({ place, state }) => place === 'edge' && state === 'away')),
    followers: followers.map((follower) => ({ follower, standing: standingOf(follower, store) })),
    gateway: { mood: 'good', text: 'Answers' } as const,
    sockets: {
      mood: live.sockets < live.socketsMax ? 'good' : 'bad',
      text: live.sockets < live.socketsMax ? countText(live.sockets, 'socket') : `${live.sockets}: full`,
    } as const,
    thirdParties: {
      mood: failed > 0 || open === undefined ? 'bad' : 'good',
      text:
        open === undefined
          ? 'Not known'
          : `${countText(open, 'job')} on the way${failed > 0 ? `, ${failed} failed` : ''}`,
    } as const,
  }
}

const rateOf = ({ rowsPerSecond }: FollowerShown) => `${rateText(rowsPerSecond)}/s`

const summaryOf = ({ store, followers, gateway: _gateway, ...parts }: ReturnType<typeof partsOf>): string =>
  [
    `Event store: ${store.text}.`,
    ...followers.map(({ follower, standing }) => `${follower.name}: ${standing.text}, ${rateOf(follower)}.`),
    `Postgres: ${parts.postgres.text}. Live: ${parts.sockets.text}. Third parties: ${parts.thirdParties.text}.`,
  ].join(' ')

const edgeRows = 2

const Wide = ({ parts, label }: { parts: ReturnType<typeof partsOf>; label: string }) => {
  const { store, followers, postgres, sqlite, gateway, sockets, thirdParties } = parts
  const rows = followers.length
  const jobsRow = rows - 1
  const half = spanOf(rows) / 2
  return (
    <svg className="topology wide-only" viewBox={`0 0 1042 ${spanOf(rows) + 2}`} role="img" aria-label={label}>
      <path className="flow" d={`M151 ${half}H183M183 ${midOf(0)}V${midOf(jobsRow)}`} />
      <Box x={1} y={half - 40} width={150} height={80} title="Event store" standing={store} />
      {followers.map(({ follower, standing }, row) => (
        <g key={follower.name}>
          <Arrow from={183} to={215} y={midOf(row)} />
          <Box x={215} y={yOf(row)} width={185} height={rowHeight} title={follower.name} standing={standing} />
          <Arrow from={400} to={490} y={midOf(row)} label={rateOf(follower)} />
        </g>
      ))}
      <Box x={490} y={yOf(0)} width={170} height={spanOf(edgeRows)} title="SQLite, this node" standing={sqlite} />
      <Box
        x={490}
        y={yOf(edgeRows)}
        width={170}
        height={spanOf(rows - edgeRows)}
        title="Postgres"
        standing={postgres}
      />
      {[0.5, edgeRows + 0.5].map((row) => (
        <Arrow key={row} from={660} to={730} y={midOf(row)} />
      ))}
      <Box x={730} y={yOf(0)} width={120} height={spanOf(jobsRow)} title="Gateway" standing={gateway} />
      <Arrow from={850} to={901} y={half - rowHeight / 2} />
      <Box x={901} y={half - rowHeight / 2 - 40} width={140} height={80} title="Live sockets" standing={sockets} />
      <Arrow from={660} to={730} y={midOf(jobsRow)} />
      <Box x={730} y={yOf(jobsRow)} width={311} height={rowHeight} title="Third parties" standing={thirdParties} />
    </svg>
  )
}

const Narrow = ({ parts, label }: { parts: ReturnType<typeof partsOf>; label: string }) => {
  const boxes = [
    { title: 'Event store', standing: parts.store, rate: undefined },
    ...parts.followers.map(({ follower, standing }) => ({
      title: `${follower.name} → ${placeText[follower.place]}`,
      standing,
      rate: rateOf(follower),
    })),
    { title: 'Gateway', standing: parts.gateway, rate: undefined },
    { title: 'Live sockets', standing: parts.sockets, rate: undefined },
    { title: 'Jobs → third parties', standing: parts.thirdParties, rate: undefined },
  ]
  return (
    <svg className="topology narrow-only" viewBox={`0 0 282 ${spanOf(boxes.length) + 2}`} role="img" aria-label={label}>
      <path className="flow" d={`M8 ${midOf(0)}V${midOf(boxes.length - 1)}`} />
      {boxes.map(({ title, standing, rate }, row) => (
        <g key={title}>
          <Arrow from={8} to={26} y={midOf(row)} />
          <Box x={26} y={yOf(row)} width={255} height={rowHeight} title={title} standing={standing} />
          {rate && (
            <text className="rate" x={268} y={midOf(row) + 16}>
              {rate}
            </text>
          )}
        </g>
      ))}
    </svg>
  )
}

export const Topology = ({ overview }: { overview: Operations }) => {
  const parts = partsOf(overview)
  const label = summaryOf(parts)
  return (
    <figure className="chart">
      <Wide parts={parts} label={label} />
      <Narrow parts={parts} label={label} />
      <figcaption className="quiet">
        Rates are rows changed, of jobs those entered, a second. What is at the edge is that of node {overview.node}.
      </figcaption>
    </figure>
  )
}
