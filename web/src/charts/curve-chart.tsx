import type { KeyboardEvent, PointerEvent } from 'react'
import { useState } from 'react'
import type { Curve } from '@/lib/api/trainings'
import { metricLabel, metricValue } from '@/lib/api/trainings'
import { useWidth } from '@/lib/hooks'
import { linePath, ticks } from './scale'

interface Props {
  label: string
  epochs: number[]
  curves: Curve[]
  /** The last epoch that is planned: the axis goes that far from the beginning. */
  planned: number
  height?: number
}

const margin = { top: 10, right: 14, bottom: 26, left: 46 }
const colours = Array.from({ length: 6 }, (_, i) => `var(--chart-${i + 1})`)
/** More curves than colours: the next ones are dashed. */
const dash = (index: number) => (index >= colours.length ? '5 4' : undefined)
const colour = (index: number) => colours[index % colours.length] as string

/** Metrics over epochs. Arrow keys move from epoch to epoch, as the pointer does. */
export function CurveChart({ label, epochs, curves, planned, height = 240 }: Props) {
  const [frame, width] = useWidth<HTMLDivElement>()
  const [at, setAt] = useState<number>()
  const values = curves.flatMap((curve) => curve.values).filter((value) => value !== null)
  const [low, high] = bounds(values)
  const [first, last] = [Math.min(1, epochs[0] ?? 1), Math.max(planned, epochs.at(-1) ?? 1, 2)]
  const inner = { width: Math.max(10, width - margin.left - margin.right), height: height - margin.top - margin.bottom }
  const x = (epoch: number) => margin.left + ((epoch - first) / (last - first)) * inner.width
  const y = (value: number) => margin.top + (1 - (value - low) / (high - low)) * inner.height
  const shown = at === undefined ? undefined : Math.min(at, epochs.length - 1)
  const shownEpoch = shown === undefined ? undefined : epochs[shown]

  const point = (event: PointerEvent<SVGSVGElement>) => {
    const wanted = first + ((event.clientX - event.currentTarget.getBoundingClientRect().left - margin.left) / inner.width) * (last - first)
    setAt(nearest(epochs, wanted))
  }
  const step = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (!by) return
    event.preventDefault()
    setAt(Math.max(0, Math.min(epochs.length - 1, (shown ?? epochs.length) + by)))
  }

  return (
    <figure className="min-w-0 px-4 pb-3">
      <figcaption className="flex flex-wrap gap-x-4 gap-y-1 pb-1 text-xs text-ink-3">
        <span className="sr-only">{summary(label, epochs, curves)}</span>
        {curves.map((curve, index) => (
          <span key={curve.name} className="inline-flex items-center gap-1.5">
            <svg aria-hidden width="14" height="4">
              <path d="M0 2H14" stroke={colour(index)} strokeWidth="2.5" strokeDasharray={dash(index)} />
            </svg>
            {metricLabel(curve.name)}
            <span className="tabular font-medium text-ink">{shownValue(curve, shown)}</span>
          </span>
        ))}
        {shownEpoch !== undefined && (
          <span role="status" className="tabular">
            epoch {shownEpoch}
          </span>
        )}
      </figcaption>
      <div ref={frame} style={{ height }}>
        {width > 0 && (
          <svg role="img" aria-label={label} width={width} height={height} tabIndex={0} onKeyDown={step} onPointerMove={point} onPointerLeave={() => setAt(undefined)} className="block rounded">
            {ticks(low, high, 4).map((value) => (
              <g key={value}>
                <path d={`M${margin.left} ${y(value)}H${width - margin.right}`} stroke="var(--grid)" />
                <text x={margin.left - 8} y={y(value) + 4} textAnchor="end" className="tabular fill-ink-3 text-[11px]">
                  {value}
                </text>
              </g>
            ))}
            {ticks(first, last, width / 110)
              .filter(Number.isInteger)
              .map((epoch) => (
                <text key={epoch} x={x(epoch)} y={height - 7} textAnchor="middle" className="tabular fill-ink-3 text-[11px]">
                  {epoch}
                </text>
              ))}
            {shownEpoch !== undefined && <path d={`M${x(shownEpoch)} ${margin.top}V${height - margin.bottom}`} stroke="var(--line-strong)" />}
            {curves.map((curve, index) => (
              <path
                key={curve.name}
                data-curve={curve.name}
                d={linePath(curve.values.map((value, i) => (value === null ? null : { x: x(epochs[i] ?? 0), y: y(value) })))}
                fill="none"
                stroke={colour(index)}
                strokeWidth="1.75"
                strokeDasharray={dash(index)}
                strokeLinejoin="round"
                strokeLinecap="round"
              />
            ))}
            {curves.map((curve, index) => {
              const i = shown ?? epochs.length - 1
              const value = curve.values[i]
              return value === null || value === undefined ? null : <circle key={curve.name} cx={x(epochs[i] ?? 0)} cy={y(value)} r="3" fill={colour(index)} />
            })}
          </svg>
        )}
      </div>
    </figure>
  )
}

/** The span of the values with a little air, and never empty. */
function bounds(values: number[]): [low: number, high: number] {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  if (!Number.isFinite(low)) return [0, 1]
  const air = (high - low || Math.abs(high) || 1) * 0.06
  return [low - air, high + air]
}

function nearest(epochs: number[], wanted: number): number {
  let found = 0
  epochs.forEach((epoch, i) => {
    if (Math.abs(epoch - wanted) < Math.abs((epochs[found] ?? 0) - wanted)) found = i
  })
  return found
}

function shownValue(curve: Curve, index: number | undefined): string {
  const value = index === undefined ? curve.values.findLast((candidate) => candidate !== null) : curve.values[index]
  return value === null || value === undefined ? '–' : metricValue(value)
}

function summary(label: string, epochs: number[], curves: Curve[]): string {
  const latest = curves.map((curve) => `${metricLabel(curve.name)} ${shownValue(curve, undefined)}`)
  return `${label} up to epoch ${epochs.at(-1) ?? 0}: ${latest.join(', ')}.`
}
