import { Download, ScrollText, ShieldCheck } from 'lucide-react'
import { timestamp } from '@/lib/format'
import { useSettled, useTitle } from '@/lib/hooks'
import { setQuery, useRoute } from '@/lib/router'
import { PageHeader } from '@/ui/bits'
import { Button } from '@/ui/button'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { Input, Segments } from '@/ui/form'
import { Menu, MenuItem } from '@/ui/menu'
import { AuditDrawer } from './audit-drawer'
import type { AuditFilter, AuditLog, Scope } from './use-audit'
import { useAuditLogs, useExport, useVerify } from './use-audit'
import { VerifyResult } from './verify-result'

const scopes: { value: Scope; label: string; title: string }[] = [
  { value: 'workspace', label: 'Workspace', title: 'What was done in this workspace' },
  { value: 'organization', label: 'Organization', title: 'What concerns the whole organization, such as its users' },
]

/** Who did what, in a chain that shows whether somebody changed it afterwards. */
export function AuditScreen() {
  useTitle('Audit')
  const { query } = useRoute()
  const typed = {
    scope: (query.get('scope') === 'organization' ? 'organization' : 'workspace') as Scope,
    action: query.get('action') ?? '',
    actorId: query.get('actor') ?? '',
    resourceId: query.get('resource') ?? '',
  }
  const settled = useSettled(JSON.stringify(typed), 250)
  const filter = JSON.parse(settled) as AuditFilter
  const logs = useAuditLogs(filter)
  const verify = useVerify()
  const download = useExport()
  const entries = logs.data?.pages.flatMap((page) => page.items) ?? []
  const filtered = Boolean(filter.action || filter.actorId || filter.resourceId)
  return (
    <div className="space-y-4">
      <PageHeader title="Audit" lead="Who did what. Every entry holds the hash of the one before, so a change shows.">
        <Button disabled={verify.isPending} onClick={() => verify.mutate(filter.scope)}>
          <ShieldCheck /> {verify.isPending ? 'Verifying…' : 'Verify'}
        </Button>
        <Menu
          trigger={
            <Button disabled={download.isPending}>
              <Download /> {download.isPending ? 'Exporting…' : 'Export'}
            </Button>
          }
        >
          <MenuItem onSelect={() => download.mutate({ filter, format: 'jsonl' })}>JSON lines</MenuItem>
          <MenuItem onSelect={() => download.mutate({ filter, format: 'csv' })}>CSV</MenuItem>
        </Menu>
      </PageHeader>
      {verify.isError && <ErrorState error={verify.error} />}
      {download.isError && <ErrorState error={download.error} />}
      {verify.data && <VerifyResult result={verify.data} />}
      <div className="flex flex-wrap items-center gap-2">
        <Segments label="Whose" value={typed.scope} options={scopes} onChange={(scope) => setQuery({ scope: scope === 'workspace' ? '' : scope, entry: '' })} />
        <Input aria-label="Action" placeholder="Action, such as app.*" value={typed.action} onChange={(e) => setQuery({ action: e.target.value })} className="sm:max-w-52" />
        <Input aria-label="Actor" placeholder="Actor" value={typed.actorId} onChange={(e) => setQuery({ actor: e.target.value })} className="sm:max-w-52" />
        <Input aria-label="Resource" placeholder="Resource" value={typed.resourceId} onChange={(e) => setQuery({ resource: e.target.value })} className="sm:max-w-52" />
      </div>
      {logs.isError && <ErrorState error={logs.error} onRetry={() => void logs.refetch()} />}
      {logs.isPending && <SkeletonRows rows={10} />}
      {logs.isSuccess && entries.length === 0 && (
        <div className="panel">
          <EmptyState icon={<ScrollText />} title={filtered ? 'Nothing matches' : 'Nothing was done yet'} />
        </div>
      )}
      {entries.length > 0 && <Entries entries={entries} />}
      {logs.hasNextPage && (
        <Button className="w-full" disabled={logs.isFetchingNextPage} onClick={() => void logs.fetchNextPage()}>
          {logs.isFetchingNextPage ? 'Loading…' : 'Load more'}
        </Button>
      )}
      <AuditDrawer scope={typed.scope} id={query.get('entry') ?? ''} onClose={() => setQuery({ entry: '' })} />
    </div>
  )
}

function Entries({ entries }: { entries: AuditLog[] }) {
  return (
    <ul aria-label="Audit log" className="panel divide-y divide-line overflow-hidden">
      {entries.map((entry) => (
        <li key={entry.id}>
          <button
            type="button"
            onClick={() => setQuery({ entry: entry.id }, { push: true })}
            className="grid w-full grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 px-4 py-2.5 text-left -outline-offset-2 hover:bg-hover/60 md:grid-cols-[13rem_minmax(0,1fr)_minmax(0,1fr)_12rem]"
          >
            <span className="truncate font-mono text-[13px] font-medium">{entry.action}</span>
            <span className="hidden truncate font-mono text-xs text-ink-3 md:block">{entry.resourceId}</span>
            <span className="hidden truncate font-mono text-xs text-ink-3 md:block">{entry.actorId}</span>
            <time className="tabular text-right text-[13px] text-ink-3" dateTime={entry.timestamp}>
              {timestamp(entry.timestamp)}
            </time>
          </button>
        </li>
      ))}
    </ul>
  )
}
