-- Fields of `stage:<nonce>` besides the parts, which have numbers.
return {
  NEXT = 'next', -- the number of the next part to store
  PARTS = 'parts', -- how many there are
  HEADER = 'header',
  EXISTED = 'e:', -- before the id of a job that existed
  OUTSIDE = 'o:', -- before the id of a job outside of the flow: its node
}
