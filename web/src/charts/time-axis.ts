import type { Interval } from '@/lib/time-range'

const daySeconds = 86_400

/**
 * Labels of a time axis. Days are cut in UTC by the server, so a chart of days
 * is labelled in UTC too; finer ones are in the reader's time zone.
 */
export function axisLabels(seconds: number[], step: number, interval: Interval): string[] {
  const timeZone = interval === 'day' ? 'UTC' : undefined
  const date = new Intl.DateTimeFormat('en-US', { month: 'short', day: 'numeric', timeZone })
  const time = new Intl.DateTimeFormat('en-US', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone })
  return seconds.map((second) => {
    const instant = new Date(second * 1000)
    const clock = time.format(instant)
    return step >= daySeconds || clock === '00:00' ? date.format(instant) : clock
  })
}

/** A bucket's name in a tooltip: "Nov 22, 14:00". */
export function pointTime(ms: number, interval: Interval): string {
  const instant = new Date(ms)
  if (interval === 'day') {
    return instant.toLocaleDateString('en-US', { weekday: 'short', month: 'short', day: 'numeric', timeZone: 'UTC' })
  }
  return instant.toLocaleString('en-US', { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
}
