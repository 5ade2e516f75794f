const locale = 'en-US'
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 })

/** 1,284 as it is; from 10,000 on 12.8K, 3.1M. */
export function count(value: number): string {
  return Math.abs(value) < 10_000 ? whole.format(value) : compact.format(value)
}

/** Every digit, grouped. */
export function integer(value: number): string {
  return whole.format(value)
}

/**
 * Dollars with as many decimals as it takes to say something: $1,204.50,
 * $0.0123, $0.000004. Strata counts in micro-dollars, so six is the most.
 */
export function usd(value: number): string {
  const size = Math.abs(value)
  const digits = size === 0 || size >= 1 ? 2 : size >= 0.01 ? 4 : 6
  return value.toLocaleString(locale, {
    style: 'currency',
    currency: 'USD',
    minimumFractionDigits: 2,
    maximumFractionDigits: digits,
  })
}

/** Short dollars for axes and tiles: $12.4K. */
export function usdShort(value: number): string {
  return Math.abs(value) < 10_000 ? usd(value) : `$${compact.format(value)}`
}

/** Milliseconds in the unit a person would use: 0.8 ms, 412 ms, 1.24 s, 2 m 5 s. */
export function duration(ms: number): string {
  if (ms === 0) return '0 ms'
  if (ms < 10) return `${trim(ms, ms < 1 ? 2 : 1)} ms`
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${trim(ms / 1000, 2)} s`
  const minutes = Math.floor(ms / 60_000)
  const seconds = Math.round((ms % 60_000) / 1000)
  return seconds ? `${minutes} m ${seconds} s` : `${minutes} m`
}

/** A ratio as a percentage; small ones keep their digits, so that 0.04% is not "0%". */
export function percent(ratio: number): string {
  const value = ratio * 100
  if (value > 0 && value < 0.01) return '<0.01%'
  const digits = value === 0 || value >= 10 ? 0 : value >= 1 ? 1 : 2
  return `${trim(value, digits)}%`
}

function trim(value: number, digits: number): string {
  return value.toFixed(digits).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '')
}

const clockFormat = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const dayFormat = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' })
const fullFormat = new Intl.DateTimeFormat(locale, {
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
})

/** "14:03:09", in the reader's time zone. */
export function clock(iso: string): string {
  return safely(iso, (date) => clockFormat.format(date))
}

/** "Nov 22". */
export function day(iso: string): string {
  return safely(iso, (date) => dayFormat.format(date))
}

/** "Nov 22, 2026, 14:03:09.120". */
export function timestamp(iso: string): string {
  return safely(iso, (date) => fullFormat.format(date))
}

/** "just now", "4 min ago", "3 h ago", then the day. */
export function ago(iso: string, now: number): string {
  const then = Date.parse(iso)
  if (!Number.isFinite(then)) return ''
  const minutes = Math.floor((now - then) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min ago`
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`
  return day(iso)
}

function safely(iso: string, format: (date: Date) => string): string {
  const date = new Date(iso)
  return Number.isNaN(date.getTime()) ? '' : format(date)
}

/** Words for identifiers of the API: "api_key" is "API key". */
export function humanise(word: string): string {
  const text = word.replaceAll('_', ' ')
  const cased = text.charAt(0).toUpperCase() + text.slice(1)
  return cased.replace(/\bapi\b/i, 'API')
}
