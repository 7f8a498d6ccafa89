package monitor
import ("testing";"os";"os/exec";"time";"sort")
func TestZZ(t *testing.T) {
	var ours, bare, nul []time.Duration
	for range 60 {
	b := newBox(t, "/usr/bin/crun", "true")
	os.MkdirAll(b.root+"2",0o700)
	crun := func() time.Duration {
	c:=exec.Command("/usr/bin/crun","--root",b.root+"2","--log",b.req.Dir+"/l","--log-format","json","run","--detach","--bundle",b.req.Bundle,"--pid-file",b.req.Dir+"/p2",b.req.ID+"b")
	t2:=time.Now(); if e:=c.Run(); e!=nil {t.Fatal(e)}; d:=time.Since(t2)
	exec.Command("/usr/bin/crun","--root",b.root+"2","delete","--force",b.req.ID+"b").Run()
	return d }
	bare = append(bare, crun())
	t0:=time.Now(); s:=b.start(); ours=append(ours,time.Since(t0)); s.Wait(t.Context()); s.Cleaned(); s.Settled(t.Context())
	f := fakeRuntime(t, "")
	f.req.Runtime="/tmp/fakert"
	t0=time.Now(); x,e := f.starter.Start(t.Context(), f.req, Files{}); nul=append(nul,time.Since(t0)); if e != nil {t.Fatal(e)}; x.Close()
	}
	for _,l := range [][]time.Duration{ours,bare,nul} { sort.Slice(l,func(i,j int)bool{return l[i]<l[j]}); t.Log(l[0], l[len(l)/2], l[len(l)-4]) }
}
