import { clsx } from 'clsx'
import { ListFilter, X } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useModels } from '@/lib/api/models'
import { useSettled } from '@/lib/hooks'
import { setQuery } from '@/lib/router'
import { Button } from '@/ui/button'
import { Input, Select } from '@/ui/form'
import type { Filters } from './use-calls'
import { filterKeys } from './use-calls'

/** The filters, all kept in the page's address, so that a view can be sent to somebody. */
export function FilterBar({ filters }: { filters: Filters }) {
  const models = useModels()
  const known = models.data?.map((m) => m.id) ?? []
  const active = Object.keys(filters).length
  const [unfolded, setUnfolded] = useState(false)
  const options = filters.model && !known.includes(filters.model) ? [filters.model, ...known] : known
  return (
    <div role="search" aria-label="Filters" className="grid grid-cols-2 gap-2 sm:grid-cols-3 lg:flex lg:flex-wrap">
      <Button className="col-span-2 sm:hidden" aria-expanded={unfolded} onClick={() => setUnfolded(!unfolded)}>
        <ListFilter /> Filters{active > 0 && ` (${active})`}
      </Button>
      <div className={clsx('contents', !unfolded && 'max-sm:hidden')}>
      <Select
        aria-label="Model"
        className="col-span-2 sm:col-span-1 lg:w-52"
        value={filters.model ?? ''}
        onChange={(event) => setQuery({ model: event.target.value })}
      >
        <option value="">All models</option>
        {options.map((id) => (
          <option key={id}>{id}</option>
        ))}
      </Select>
      <Select aria-label="Status" className="lg:w-36" value={filters.status ?? ''} onChange={(event) => setQuery({ status: event.target.value })}>
        <option value="">Any status</option>
        <option value="success">Success</option>
        <option value="error">Error</option>
      </Select>
      <Select aria-label="Type" className="lg:w-36" value={filters.type ?? ''} onChange={(event) => setQuery({ type: event.target.value })}>
        <option value="">Any type</option>
        <option value="chat">Chat</option>
        <option value="embedding">Embedding</option>
      </Select>
      <TextFilter name="user" label="User" value={filters.user ?? ''} />
      <TextFilter name="tag" label="Tag" value={filters.tag ?? ''} />
      <TextFilter name="correlation_id" label="Correlation id" value={filters.correlation_id ?? ''} wide />
      </div>
      {active > 0 && (
        <Button look="ghost" onClick={() => setQuery(Object.fromEntries(filterKeys.map((key) => [key, ''])))}>
          <X /> Clear
        </Button>
      )}
    </div>
  )
}

/** A text filter that waits for a pause in typing. */
function TextFilter({ name, label, value, wide }: { name: string; label: string; value: string; wide?: boolean }) {
  const [text, setText] = useState(value)
  const settled = useSettled(text, 300)
  useEffect(() => setText(value), [value])
  useEffect(() => setQuery({ [name]: settled.trim() }), [name, settled])
  return (
    <div className={wide ? 'col-span-2 sm:col-span-1 lg:w-56' : 'lg:w-36'}>
      <Input aria-label={label} placeholder={label} value={text} onChange={(event) => setText(event.target.value)} />
    </div>
  )
}
