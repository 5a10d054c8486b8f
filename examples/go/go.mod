module acrite.dev/acritetest

go 1.22
