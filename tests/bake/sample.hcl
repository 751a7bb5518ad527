variable "TAG" { default = "latest" }
variable "N" { default = 3 }
variable "B" { default = false }
upper = "x${TAG}"
function "greet" { 
  params = [name]
  variadic_params = rest
  result = "hi ${name}-${length(rest)}"
}
group "default" { targets = ["app", "matrix"] }
group "all" { targets = ["default", "other"] }
target "_common" {
  args = { V = "1", N = N, NUL = null }
  labels = { "a.b" = "c" }
  no-cache-filter = ["x"]
}
target "app" {
  inherits = ["_common"]
  context = "./src"
  dockerfile = "Dockerfile.${TAG}"
  tags = ["app:${TAG}", B ? "b" : greet("you", 1, 2)]
  args = { V = "2", U = upper(upper) }
  platforms = ["linux/amd64", "linux/arm64"]
  cache-from = ["type=registry,ref=x/y"]
  cache-to = ["type=inline"]
  output = ["type=local,dest=out"]
  secret = ["id=s,src=./f"]
  attest = ["type=sbom","type=provenance,mode=max"]
  contexts = { base = "target:other", img = "docker-image://alpine" }
  target = "prod"
  network = "host"
  pull = true
  no-cache = false
  shm-size = "128m"
  ulimits = ["nofile=1024:1024"]
  annotations = ["index:a=b"]
  entitlements = ["network.host"]
}
target "other" { dockerfile-inline = "FROM scratch\n" }
target "matrix" {
  name = "m-${os}-${replace(v, ".", "_")}"
  matrix = { os = ["a", "b"], v = ["1.0", "2.0"] }
  args = { OS = os, V = v }
  inherits = ["_common"]
}
