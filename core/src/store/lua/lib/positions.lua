-- Why jobs of a batch of adds are passed over: they existed, or they are queued only when an execution of an earlier job of the id has stopped.
return { EXISTED = 'existed', LATER = 'later' }
