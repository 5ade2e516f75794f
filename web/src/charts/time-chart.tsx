import { clsx } from 'clsx'
import { useEffect, useMemo, useRef, useState } from 'react'
import uPlot from 'uplot'
import { useWidth } from '@/lib/hooks'
import { useStore } from '@/lib/store'
import { shownTheme } from '@/lib/theme'
import type { Interval } from '@/lib/time-range'
import { chartOptions } from './options'
import { pointTime } from './time-axis'

export interface ChartSeries {
  label: string
  /** Name of a colour of the theme, for example "--chart-1". */
  colour: string
  kind: 'bars' | 'line' | 'area'
  values: (number | null)[]
}

interface Props {
  /** What the chart says in one sentence, for those who cannot see it. */
  summary: string
  /** Start of each bucket, epoch ms. */
  times: number[]
  interval: Interval
  series: ChartSeries[]
  format: (value: number) => string
  /** Puts the series on top of one another, the first at the bottom. */
  stacked?: boolean
  /** Only whole numbers on the axis. */
  whole?: boolean
  height?: number
  className?: string
}

/** Sums from the bottom up, tallest first, so that each bar covers the lower part of the one before. */
function stack(series: ChartSeries[]): ChartSeries[] {
  const sums: number[] = []
  return series
    .map((s) => ({
      ...s,
      values: s.values.map((value, i) => (sums[i] = (sums[i] ?? 0) + (value ?? 0))),
    }))
    .reverse()
}

/** Redrawn when the text font arrives: a canvas keeps the fallback it was drawn with. */
function useFontReady(): boolean {
  const [ready, setReady] = useState(() => document.fonts.check('12px "Geist Variable"'))
  useEffect(() => {
    let mounted = true
    const settle = () => mounted && setReady(true)
    document.fonts.load('12px "Geist Variable"').then(settle, settle)
    return () => {
      mounted = false
    }
  }, [])
  return ready
}

/** A chart over time on a canvas, with a legend and a tooltip in HTML. */
export function TimeChart({ summary, times, interval, series, format, stacked = false, whole = false, height = 232, className }: Props) {
  const [frame, width] = useWidth<HTMLDivElement>()
  const theme = useStore(shownTheme)
  const fontReady = useFontReady()
  const plot = useRef<uPlot>(undefined)
  const [hover, setHover] = useState<{ index: number; left: number }>()
  const latest = useRef({ format, setHover })
  latest.current = { format, setHover }

  const data = useMemo<uPlot.AlignedData>(
    () => [times.map((t) => t / 1000), ...(stacked ? stack(series) : series).map((s) => s.values)],
    [times, series, stacked],
  )
  const shape = series.map((s) => `${s.kind}${s.colour}${s.label}`).join()

  useEffect(() => {
    const element = frame.current?.querySelector<HTMLDivElement>('[data-plot]')
    if (!element || width === 0) return
    const options = chartOptions({
      width,
      height,
      interval,
      series: stacked ? series.toReversed() : series,
      format: (value) => latest.current.format(value),
      whole,
      onHover: (next) => latest.current.setHover(next),
    })
    const made = new uPlot(options, data, element)
    plot.current = made
    return () => {
      plot.current = undefined
      made.destroy()
    }
    // The data alone does not need a new plot: the next effect hands it over.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [width, height, theme, fontReady, shape, interval, stacked, whole])

  useEffect(() => plot.current?.setData(data), [data])

  return (
    <figure className={clsx('min-w-0', className)}>
      <figcaption className="flex flex-wrap gap-x-4 gap-y-1 px-4 pb-1 text-xs text-ink-3">
        <span className="sr-only">{summary}</span>
        {series.length > 1 &&
          series.map((s) => (
            <span key={s.label} aria-hidden className="inline-flex items-center gap-1.5">
              <span className="size-2 rounded-[3px]" style={{ background: `var(${s.colour})` }} />
              {s.label}
            </span>
          ))}
      </figcaption>
      <div ref={frame} aria-hidden className="relative" style={{ height }}>
        <div data-plot />
        {hover && times[hover.index] !== undefined && (
          <Tooltip hover={hover} width={width} time={pointTime(times[hover.index]!, interval)} series={series} format={format} />
        )}
      </div>
    </figure>
  )
}

interface TooltipProps {
  hover: { index: number; left: number }
  width: number
  time: string
  series: ChartSeries[]
  format: (value: number) => string
}

function Tooltip({ hover, width, time, series, format }: TooltipProps) {
  const onRight = hover.left < width / 2
  const position = onRight ? { left: hover.left + 14 } : { right: width - hover.left + 14 }
  return (
    <div
      className="pointer-events-none absolute top-1 z-10 rounded-lg border border-line bg-raised px-3 py-2 text-xs shadow-pop"
      style={position}
    >
      <p className="pb-1 font-medium whitespace-nowrap">{time}</p>
      {series.map((s) => {
        const value = s.values[hover.index]
        return (
          <p key={s.label} className="flex items-center gap-1.5 whitespace-nowrap text-ink-2">
            <span className="size-2 rounded-[3px]" style={{ background: `var(${s.colour})` }} />
            <span className="flex-1 pr-4">{s.label}</span>
            <span className="tabular font-medium text-ink">{value === null || value === undefined ? '–' : format(value)}</span>
          </p>
        )
      })}
    </div>
  )
}
