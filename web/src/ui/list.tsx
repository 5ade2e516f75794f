import { clsx } from 'clsx'
import type { ReactNode } from 'react'
import { Fragment } from 'react'
import { ArrowDown, ArrowLeft, ArrowUp } from 'lucide-react'
import { Link } from '@/lib/router'
import { Button } from './button'

interface Pages {
  hasNextPage: boolean
  isFetchingNextPage: boolean
  fetchNextPage: () => unknown
}

/** Shows the next page of a list, where there is one. */
export function MoreButton({ pages }: { pages: Pages }) {
  if (!pages.hasNextPage) return null
  return (
    <div className="flex justify-center py-3">
      <Button small disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
        {pages.isFetchingNextPage ? 'Loading…' : 'Show more'}
      </Button>
    </div>
  )
}

/** A table that scrolls by itself where it is too wide. */
export function Table({ label, minWidth = '40rem', children }: { label: string; minWidth?: string; children: ReactNode }) {
  return (
    <div className="overflow-x-auto" role="region" aria-label={`${label}, table`} tabIndex={0}>
      <table className="tabular w-full border-collapse" aria-label={label} style={{ minWidth }}>
        {children}
      </table>
    </div>
  )
}

export const rowClass = 'relative border-b border-line last:border-0 hover:bg-hover/60'

export function Cell({ right, className, children }: { right?: boolean; className?: string; children: ReactNode }) {
  return <td className={clsx('px-4 py-2.5', right && 'text-right', className)}>{children}</td>
}

export function Head({ columns }: { columns: { name: string; right?: boolean }[] }) {
  return (
    <thead>
      <tr className="border-b border-line text-[13px] text-ink-3">
        {columns.map(({ name, right }) => (
          <th key={name} scope="col" className={clsx('px-4 py-2 font-normal whitespace-nowrap', right ? 'text-right' : 'text-left')}>
            {name}
          </th>
        ))}
      </tr>
    </thead>
  )
}

interface SortHeadProps {
  name: string
  sorted: 'ascending' | 'descending' | undefined
  onSort: () => void
  right?: boolean
  title?: string
}

/** A column's head that sorts by it. */
export function SortHead({ name, sorted, onSort, right, title }: SortHeadProps) {
  return (
    <th scope="col" aria-sort={sorted ?? 'none'} className={clsx('px-4 py-2 font-normal whitespace-nowrap', right ? 'text-right' : 'text-left')}>
      <button type="button" title={title} onClick={onSort} className={clsx('inline-flex items-center gap-1 hover:text-ink', sorted && 'font-medium text-ink')}>
        {name}
        {sorted === 'ascending' && <ArrowUp className="size-3.5" aria-hidden />}
        {sorted === 'descending' && <ArrowDown className="size-3.5" aria-hidden />}
      </button>
    </th>
  )
}

/** The ways back from where one is. */
export function Trail({ steps }: { steps: { to: string; label: string }[] }) {
  return (
    <nav aria-label="Breadcrumb" className="mb-2 flex min-w-0 flex-wrap items-center gap-1.5 text-[13px] text-ink-3">
      <ArrowLeft className="size-3.5" aria-hidden />
      {steps.map(({ to, label }, index) => (
        <Fragment key={to}>
          {index > 0 && <span aria-hidden>/</span>}
          <Link to={to} className="max-w-64 truncate rounded underline-offset-4 hover:text-ink hover:underline">
            {label}
          </Link>
        </Fragment>
      ))}
    </nav>
  )
}

/** Names and values, in a row of columns. */
export function Facts({ facts, className }: { facts: [name: string, value: ReactNode][]; className?: string }) {
  return (
    <dl className={clsx('tabular grid grid-cols-2 gap-x-6 gap-y-3 sm:grid-cols-3 xl:grid-cols-6', className)}>
      {facts.map(([name, value]) => (
        <div key={name} className="min-w-0">
          <dt className="text-[13px] text-ink-3">{name}</dt>
          <dd className="truncate font-medium">{value}</dd>
        </div>
      ))}
    </dl>
  )
}
