import { clsx } from 'clsx'
import { AlertTriangle, RotateCw } from 'lucide-react'
import type { ReactNode } from 'react'
import { ApiError } from '@/lib/api/client'
import { Button } from './button'
import { CopyButton } from './copy'

/** A grey shape where content is on its way. */
export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={clsx('animate-[shimmer_1.4s_ease-in-out_infinite] rounded-md bg-hover', className)} />
}

/** Rows of skeletons that say so to a screen reader. */
export function SkeletonRows({ rows, className }: { rows: number; className?: string }) {
  return (
    <div role="status" aria-label="Loading" className={clsx('space-y-2.5', className)}>
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} className="h-9" />
      ))}
    </div>
  )
}

/** What went wrong, in the server's words, with what support needs to find it. */
export function ErrorState({ error, onRetry, compact }: { error: unknown; onRetry?: () => void; compact?: boolean }) {
  const facts = error instanceof ApiError ? error : undefined
  const message = error instanceof Error ? error.message : 'Something went wrong.'
  return (
    <div role="alert" className={clsx('flex gap-3 rounded-lg bg-bad-soft text-bad', compact ? 'p-3' : 'p-4')}>
      <AlertTriangle className="mt-0.5 size-4 shrink-0" aria-hidden />
      <div className="min-w-0 flex-1 space-y-1">
        <p className="font-medium break-words">{message}</p>
        {facts?.details.map((fault) => (
          <p key={fault.field}>
            <code className="font-mono">{fault.field}</code> {fault.message}
          </p>
        ))}
        {facts && (
          <p className="flex flex-wrap items-center gap-x-3 font-mono text-xs">
            <span>{facts.code}</span>
            {facts.requestId && (
              <span className="inline-flex items-center gap-1">
                {facts.requestId}
                <CopyButton text={facts.requestId} label="Copy request id" className="size-6 text-bad" />
              </span>
            )}
          </p>
        )}
      </div>
      {onRetry && (
        <Button small onClick={onRetry}>
          <RotateCw /> Retry
        </Button>
      )}
    </div>
  )
}

/** Nothing here yet, and what to do about it. */
export function EmptyState({ icon, title, children }: { icon: ReactNode; title: string; children?: ReactNode }) {
  return (
    <div className="mx-auto flex w-full max-w-2xl flex-col items-center gap-2 px-4 py-12 text-center">
      <div className="mb-1 flex size-11 items-center justify-center rounded-xl bg-accent-soft text-accent [&_svg]:size-5">{icon}</div>
      <h2 className="text-base font-semibold">{title}</h2>
      <div className="w-full space-y-4 text-balance text-ink-3">{children}</div>
    </div>
  )
}
