import uPlot from 'uplot'
import type { Interval } from '@/lib/time-range'
import { axisLabels } from './time-axis'
import type { ChartSeries } from './time-chart'

interface Init {
  width: number
  height: number
  interval: Interval
  series: ChartSeries[]
  format: (value: number) => string
  whole: boolean
  onHover: (hover: { index: number; left: number } | undefined) => void
}

const font = '11px "Geist Variable", system-ui, sans-serif'
const axisGap = 8

/** 1, 2, 5, 10, 20, 50… for axes that count things: half a request is none. */
const wholeSteps = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat()

/** The theme's colours as they are now; a chart is made anew when the theme changes. */
function palette() {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  return { colour, faded: (name: string, alpha: number) => colour(name).replace(/\)$/, ` / ${alpha})`) }
}

/** Wide enough for the widest label, so that none is clipped. */
function axisWidth(self: uPlot, labels: string[] | null): number {
  if (!labels?.length) return 30
  self.ctx.save()
  self.ctx.font = font
  const widest = Math.max(...labels.map((label) => self.ctx.measureText(label).width))
  self.ctx.restore()
  return Math.ceil(widest) + axisGap + 12
}

/** Points with nothing on either side: a line through them would not be seen. */
function lonelyPoints(self: uPlot, index: number): number[] {
  const values = self.data[index] ?? []
  const lonely: number[] = []
  for (let i = 0; i < values.length; i++) {
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) lonely.push(i)
  }
  return lonely
}

function seriesOptions(series: ChartSeries, paint: ReturnType<typeof palette>): uPlot.Series {
  const colour = paint.colour(series.colour)
  if (series.kind === 'bars') {
    return {
      label: series.label,
      fill: colour,
      width: 0,
      paths: uPlot.paths.bars!({ size: [0.72, 28], radius: 0.2 }),
      points: { show: false },
    }
  }
  return {
    label: series.label,
    stroke: colour,
    width: 1.75,
    ...(series.kind === 'area' && { fill: paint.faded(series.colour, 0.14) }),
    paths: uPlot.paths.linear!(),
    points: { show: true, size: 5, fill: colour, width: 0, filter: (self, index) => lonelyPoints(self, index) },
  }
}

export function chartOptions({ width, height, interval, series, format, whole, onHover }: Init): uPlot.Options {
  const paint = palette()
  const hasBars = series.some((s) => s.kind === 'bars')
  return {
    width,
    height,
    padding: [10, 16, 0, 4],
    legend: { show: false },
    ...(interval === 'day' && { tzDate: (ts: number) => uPlot.tzDate(new Date(ts * 1000), 'Etc/UTC') }),
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: hasBars ? { show: false } : { size: 7 },
    },
    scales: {
      x: { time: true, range: paddedRange },
      y: { range: (_self, _min, max) => [0, max > 0 ? max * 1.06 : 1] },
    },
    axes: [
      {
        stroke: paint.colour('--ink-3'),
        font,
        size: 30,
        gap: 6,
        space: 64,
        grid: { show: false },
        ticks: { show: false },
        values: (_self, splits, _axis, _space, step) => axisLabels(splits, step, interval),
      },
      {
        stroke: paint.colour('--ink-3'),
        font,
        gap: axisGap,
        space: 38,
        ...(whole && { incrs: wholeSteps }),
        size: (self, labels) => axisWidth(self, labels),
        grid: { stroke: paint.colour('--grid'), width: 1 },
        ticks: { show: false },
        values: (_self, splits) => splits.map(format),
      },
    ],
    series: [{}, ...series.map((s) => seriesOptions(s, paint))],
    hooks: {
      setCursor: [
        (self) => {
          const { idx, left } = self.cursor
          const hovered = idx != null && left != null && left >= 0
          onHover(hovered ? { index: idx, left: left + self.bbox.left / devicePixelRatio } : undefined)
        },
      ],
    },
  }
}

/** Bars and dots stand on the start of their bucket, so the first and last need half a bucket more room. */
function paddedRange(self: uPlot, min: number, max: number): [number, number] {
  const times = self.data[0]
  if (times.length < 2) return [min - 60, max + 60]
  const half = ((times[1] ?? 0) - (times[0] ?? 0)) / 2
  return [min - half, max + half]
}
