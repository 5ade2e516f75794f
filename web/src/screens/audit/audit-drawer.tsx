import { timestamp } from '@/lib/format'
import { Changes } from '@/ui/changes'
import { CopyButton } from '@/ui/copy'
import { Dialog } from '@/ui/dialog'
import { ErrorState, SkeletonRows } from '@/ui/feedback'
import type { AuditLog, Scope } from './use-audit'
import { useAuditLog } from './use-audit'

const facts: [string, (entry: AuditLog) => string | number][] = [
  ['Actor', (e) => e.actorId],
  ['Resource', (e) => e.resourceId],
  ['Revision', (e) => e.revision],
  ['Position', (e) => e.position],
  ['Id', (e) => e.id],
  ['Hash', (e) => e.hash],
  ['Before', (e) => e.prevHash],
]

/** One entry with what it changed and its place in the chain. */
export function AuditDrawer({ scope, id, onClose }: { scope: Scope; id: string; onClose: () => void }) {
  const entry = useAuditLog(scope, id)
  const changes = Object.entries(entry.data?.changes ?? {}).map(([path, change]) => ({ path, ...change }))
  return (
    <Dialog shape="drawer" open={id !== ''} onClose={onClose} title={entry.data?.action ?? 'Entry'} description={entry.data && timestamp(entry.data.timestamp)}>
      {entry.isError && <ErrorState error={entry.error} onRetry={() => void entry.refetch()} />}
      {entry.isPending && <SkeletonRows rows={6} />}
      {entry.data && (
        <div className="space-y-5">
          <dl className="divide-y divide-line">
            {facts.map(([name, of]) => {
              const value = String(of(entry.data) ?? '')
              return (
                value && (
                  <div key={name} className="flex min-h-10 items-center gap-3 py-1">
                    <dt className="w-20 shrink-0 text-ink-3">{name}</dt>
                    <dd className="flex min-w-0 flex-1 items-center font-mono text-[13px] break-all">
                      {value}
                      <CopyButton text={value} label={`Copy ${name.toLowerCase()}`} className="size-7 shrink-0" />
                    </dd>
                  </div>
                )
              )
            })}
          </dl>
          {entry.data.changes && (
            <section aria-label="What it changed" className="space-y-2">
              <h3 className="font-medium">What it changed</h3>
              <Changes changes={changes} />
            </section>
          )}
        </div>
      )}
    </Dialog>
  )
}
