import { clsx } from 'clsx'
import type { ReactNode } from 'react'

type Tone = 'neutral' | 'good' | 'warn' | 'bad' | 'accent'

const tones: Record<Tone, string> = {
  neutral: 'bg-hover text-ink-2',
  good: 'bg-good-soft text-good',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
  accent: 'bg-accent-soft text-accent',
}

export function Badge({ tone = 'neutral', children, className }: { tone?: Tone; children: ReactNode; className?: string }) {
  return (
    <span className={clsx('inline-flex h-[22px] items-center gap-1.5 rounded-md px-1.5 text-xs font-medium whitespace-nowrap', tones[tone], className)}>
      {children}
    </span>
  )
}

export function Dot({ tone, pulse }: { tone: Tone; pulse?: boolean }) {
  const colour = { neutral: 'bg-ink-3', good: 'bg-good', warn: 'bg-warn', bad: 'bg-bad', accent: 'bg-accent' }[tone]
  return (
    <span aria-hidden className="relative inline-flex size-2 shrink-0">
      {pulse && <span className={clsx('absolute inset-0 animate-ping rounded-full opacity-60', colour)} />}
      <span className={clsx('relative size-2 rounded-full', colour)} />
    </span>
  )
}

/** The top of a page: its name, a line about it, and its controls. */
export function PageHeader({ title, lead, children }: { title: string; lead?: ReactNode; children?: ReactNode }) {
  return (
    <header className="flex flex-wrap items-end justify-between gap-x-4 gap-y-3">
      <div className="min-w-0">
        <h1 className="text-xl font-semibold tracking-tight">{title}</h1>
        {lead && <p className="text-ink-3">{lead}</p>}
      </div>
      {children && <div className="flex min-w-0 flex-wrap items-center gap-2 max-sm:w-full">{children}</div>}
    </header>
  )
}

export function Panel({ title, aside, children, className }: { title?: string; aside?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section className={clsx('panel min-w-0', className)} {...(title && { 'aria-label': title })}>
      {title && (
        <div className="flex min-h-11 flex-wrap items-center justify-between gap-x-3 px-4 pt-2.5">
          <h2 className="font-medium">{title}</h2>
          {aside}
        </div>
      )}
      {children}
    </section>
  )
}

/**
 * How much of a limit is used: over the limit the bar is full and red, and the text says by how much. A steady bar is of
 * work that is done, which is not alarming when it nears its end.
 */
export function Progress({ value, label, steady }: { value: number; label: string; steady?: boolean }) {
  const share = Math.max(0, Math.min(1, value))
  const colour = steady ? 'bg-accent' : value >= 1 ? 'bg-bad' : value >= 0.8 ? 'bg-(--chart-3)' : 'bg-accent'
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(share * 100)}
      className="h-1.5 w-full overflow-hidden rounded-full bg-hover"
    >
      <div className={clsx('h-full rounded-full transition-[width] duration-500', colour)} style={{ width: `${share * 100}%` }} />
    </div>
  )
}
