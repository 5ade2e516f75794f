import { clsx } from 'clsx'
import { Check, Eraser, Loader } from 'lucide-react'
import { useState } from 'react'
import { integer, timestamp } from '@/lib/format'
import { useTitle } from '@/lib/hooks'
import { Badge, PageHeader } from '@/ui/bits'
import { Button } from '@/ui/button'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { EraseDialog } from './erase-dialog'
import type { Erasure } from './use-erasures'
import { useErasures } from './use-erasures'

/** Erasing what is kept of a person, and the proof that it was done. */
export function PrivacyScreen() {
  useTitle('Privacy')
  const erasures = useErasures()
  const [open, setOpen] = useState(false)
  const all = erasures.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <div className="space-y-4">
      <PageHeader title="Privacy" lead="Personal data is sealed under a key per person. Destroy the key, and it is gone everywhere.">
        <Button look="danger" onClick={() => setOpen(true)}>
          <Eraser /> Erase a person’s data
        </Button>
      </PageHeader>
      {erasures.isError && <ErrorState error={erasures.error} onRetry={() => void erasures.refetch()} />}
      {erasures.isPending && <SkeletonRows rows={4} />}
      {erasures.isSuccess && all.length === 0 && (
        <div className="panel">
          <EmptyState icon={<Eraser />} title="Nobody was erased yet">
            <p>An erasure stays here as its proof: who asked for it, when, and from where the data is gone.</p>
          </EmptyState>
        </div>
      )}
      {all.length > 0 && (
        <ul aria-label="Erasures" className="space-y-3">
          {all.map((erasure) => (
            <Item key={erasure.id} erasure={erasure} />
          ))}
        </ul>
      )}
      {erasures.hasNextPage && (
        <Button className="w-full" disabled={erasures.isFetchingNextPage} onClick={() => void erasures.fetchNextPage()}>
          Load more
        </Button>
      )}
      {open && <EraseDialog onClose={() => setOpen(false)} />}
    </div>
  )
}

function Item({ erasure: e }: { erasure: Erasure }) {
  return (
    <li className="panel space-y-3 p-4">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h2 className="min-w-0 truncate font-mono font-medium">{e.subject}</h2>
        <Badge tone={e.status === 'completed' ? 'good' : 'warn'}>{e.status}</Badge>
        {e.scope === 'organization' && <Badge>whole organization</Badge>}
        <time className="tabular ml-auto text-[13px] text-ink-3" dateTime={e.createdAt}>
          {timestamp(e.createdAt)}
        </time>
      </div>
      {e.reason && <p>{e.reason}</p>}
      <ul aria-label={`Places of ${e.subject}`} className="flex flex-wrap gap-x-4 gap-y-1 text-[13px]">
        {e.places.map((place) => (
          <li key={place.name} className={clsx('flex items-center gap-1.5 [&_svg]:size-3.5', place.erasedAt ? 'text-good' : 'text-ink-3')}>
            {place.erasedAt ? <Check aria-hidden /> : <Loader aria-hidden />}
            {place.name}
            <span className="sr-only">{place.erasedAt ? ', erased' : ', pending'}</span>
          </li>
        ))}
      </ul>
      <p className="text-[13px] text-ink-3">
        {e.requestedBy && (
          <>
            Asked for by <span className="font-mono text-xs">{e.requestedBy}</span>.{' '}
          </>
        )}
        {e.status === 'completed' && `${integer(e.events)} events of the log are unreadable now.`}
        {e.unsealedEvents > 0 && (
          <span className="text-warn"> {integer(e.unsealedEvents)} of them were written before data was sealed, and stay readable in the log.</span>
        )}
      </p>
    </li>
  )
}
