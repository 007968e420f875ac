// Stacked bars as plain SVG: no script, no style attribute; the same numbers follow as a table.

type Props = {
  readonly title: string
  /** What a bar stands for. */
  readonly what: string
  readonly series: readonly { readonly name: string; readonly label: string }[]
  readonly bars: readonly { readonly label: string; readonly values: readonly number[] }[]
}

const width = 560
const height = 220
const bottom = 28
const top = 28
const gap = 0.3

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

export const BarChart = ({ title, what, series, bars }: Props) => {
  const highest = Math.max(1, ...bars.map(({ values }) => sum(values)))
  const step = width / bars.length
  const scale = (height - bottom - top) / highest
  const ground = height - bottom
  return (
    <figure className="chart">
      <figcaption>
        <h2>{title}</h2>
        {series.length > 1 && (
          <ul className="legend">
            {series.map(({ name, label }) => (
              <li key={name} data-series={name}>
                {label}
              </li>
            ))}
          </ul>
        )}
      </figcaption>
      <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
        <line x1="0" x2={width} y1={ground} y2={ground} />
        {bars.map(({ label, values }, place) => (
          <g key={label}>
            {values.map((value, index) => {
              const below = sum(values.slice(0, index))
              const x = (place + gap / 2) * step
              const y = ground - (below + value) * scale
              const name = series[index]?.name
              return <rect key={name} data-series={name} x={x} y={y} width={step * (1 - gap)} height={value * scale} />
            })}
            <text x={(place + 0.5) * step} y={height - 8} className={place % 2 === 0 ? 'minor' : undefined}>
              {label}
            </text>
            {sum(values) > 0 && (
              <text x={(place + 0.5) * step} y={ground - sum(values) * scale - 6} className="value">
                {sum(values)}
              </text>
            )}
          </g>
        ))}
      </svg>
      <details>
        <summary>As a table</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is scrolled by keyboard, too */}
        <section className="scroll" aria-label={`${title}, as a table`} tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">{what}</th>
                {series.map(({ name, label }) => (
                  <th key={name} scope="col" className="number">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {bars.map(({ label, values }) => (
                <tr key={label}>
                  <th scope="row">{label}</th>
                  {values.map((value, index) => (
                    <td key={series[index]?.name} className="number">
                      {value}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </details>
    </figure>
  )
}
