-- Why jobs of a batch of adds are skipped: they existed, or they are queued only when an execution of an earlier job with the id has stopped.
return { EXISTED = 'existed', LATER = 'later' }
