"""Which Debian or Ubuntu package holds a shared library: a table for where no dpkg can be asked.

Used when a library is missing (what to install) and on other Linux systems (what the image
needs). One line: soname, package, then ``t64`` where Debian 13 and Ubuntu 24.04 add that
suffix (the 64-bit time_t transition), then after a colon the releases that have it, where not
all five do. The Debian 12 lines were held against that release's package list.
"""

from __future__ import annotations

import re
from functools import cache

RELEASES = ("bullseye", "bookworm", "trixie", "jammy", "noble")
"""Debian 11, 12, 13 and Ubuntu 22.04, 24.04."""

TIME64 = frozenset({"trixie", "noble"})
"""Of these, the ones whose libraries were renamed for a 64-bit time_t."""

_FALLBACK = "bookworm"  # whose names are told where the source is neither Debian nor Ubuntu
_DRIVER = re.compile(r"lib(?:cuda|cudadebugger|nvcuvid|nvoptix|nvidia-[a-z-]+)\.so(?:\.\d+)*")


def package_of(soname: str, codename: str) -> str | None:
    """The package of release ``codename`` that holds ``soname``; None where the table has none."""
    return _table().get((soname, codename))


def likely_package_of(soname: str, codename: str) -> str | None:
    """`package_of`, and where the table does not know the release, the name that Debian 12 has for it."""
    return package_of(soname, codename) or package_of(soname, _FALLBACK)


def in_release(package: str, codename: str) -> str:
    """What release ``codename`` calls ``package``: with or without "t64". As it is where nothing is known."""
    plain = package.removesuffix("t64")
    if codename in TIME64:
        return f"{plain}t64" if (f"{plain}t64", codename) in _packages() else package
    return plain if codename in RELEASES else package


def of_driver(soname: str) -> bool:
    """Whether the NVIDIA driver of the machine brings it: no package of an image can."""
    return _DRIVER.fullmatch(soname) is not None


@cache
def _packages() -> frozenset[tuple[str, str]]:
    return frozenset((package, codename) for (_, codename), package in _table().items())


@cache
def _table() -> dict[tuple[str, str], str]:
    table = {}
    for line in _LINES.splitlines():
        if line.startswith("#"):
            continue
        left, _, right = line.partition(" : ")
        soname, package, *suffix = left.split()
        for codename in right.split() or RELEASES:
            table[soname, codename] = package + ("t64" if suffix and codename in TIME64 else "")
    return table


_LINES = """\
# OpenGL, graphics devices
libGL.so.1 libgl1
libEGL.so.1 libegl1
libGLX.so.0 libglx0
libGLdispatch.so.0 libglvnd0
libOpenGL.so.0 libopengl0
libGLESv2.so.2 libgles2
libGLU.so.1 libglu1-mesa
libOSMesa.so.8 libosmesa6 : bullseye bookworm jammy noble
libgbm.so.1 libgbm1
libdrm.so.2 libdrm2
libvulkan.so.1 libvulkan1
libOpenCL.so.1 ocl-icd-libopencl1
libglfw.so.3 libglfw3
libGLEW.so.2.1 libglew2.1 : bullseye
libGLEW.so.2.2 libglew2.2 : bookworm trixie jammy noble
libglut.so.3 freeglut3 : bullseye jammy
libglut.so.3.12 libglut3.12 : bookworm trixie noble
# GLib, GTK, desktop
libglib-2.0.so.0 libglib2.0-0 t64
libgthread-2.0.so.0 libglib2.0-0 t64
libgobject-2.0.so.0 libglib2.0-0 t64
libgio-2.0.so.0 libglib2.0-0 t64
libgmodule-2.0.so.0 libglib2.0-0 t64
libgirepository-1.0.so.1 libgirepository-1.0-1
libgtk-3.so.0 libgtk-3-0 t64
libgdk-3.so.0 libgtk-3-0 t64
libgtk-x11-2.0.so.0 libgtk2.0-0 t64
libgdk-x11-2.0.so.0 libgtk2.0-0 t64
libatk-1.0.so.0 libatk1.0-0 t64
libatk-bridge-2.0.so.0 libatk-bridge2.0-0 t64
libatspi.so.0 libatspi2.0-0 t64
libgdk_pixbuf-2.0.so.0 libgdk-pixbuf-2.0-0
librsvg-2.so.2 librsvg2-2
libsecret-1.so.0 libsecret-1-0
libnotify.so.4 libnotify4
libdbus-1.so.3 libdbus-1-3
libcups.so.2 libcups2 t64
libnss3.so libnss3
libnssutil3.so libnss3
libsmime3.so libnss3
libnspr4.so libnspr4
libplc4.so libnspr4
libplds4.so libnspr4
libavahi-client.so.3 libavahi-client3
libavahi-common.so.3 libavahi-common3
# X11
libX11.so.6 libx11-6
libX11-xcb.so.1 libx11-xcb1
libXau.so.6 libxau6
libXaw.so.7 libxaw7
libXcomposite.so.1 libxcomposite1
libXcursor.so.1 libxcursor1
libXdamage.so.1 libxdamage1
libXdmcp.so.6 libxdmcp6
libXext.so.6 libxext6
libXfixes.so.3 libxfixes3
libXft.so.2 libxft2
libXi.so.6 libxi6
libXinerama.so.1 libxinerama1
libXmu.so.6 libxmu6
libXpm.so.4 libxpm4
libXrandr.so.2 libxrandr2
libXrender.so.1 libxrender1
libXss.so.1 libxss1
libXt.so.6 libxt6 t64
libXtst.so.6 libxtst6
libXv.so.1 libxv1
libXxf86vm.so.1 libxxf86vm1
libSM.so.6 libsm6
libICE.so.6 libice6
# XCB, Wayland, keyboards: what Qt's platform plugins load
libxcb.so.1 libxcb1
libxcb-cursor.so.0 libxcb-cursor0
libxcb-dri2.so.0 libxcb-dri2-0
libxcb-dri3.so.0 libxcb-dri3-0
libxcb-glx.so.0 libxcb-glx0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-image.so.0 libxcb-image0
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-randr.so.0 libxcb-randr0
libxcb-render.so.0 libxcb-render0
libxcb-render-util.so.0 libxcb-render-util0
libxcb-shape.so.0 libxcb-shape0
libxcb-shm.so.0 libxcb-shm0
libxcb-sync.so.1 libxcb-sync1
libxcb-util.so.1 libxcb-util1
libxcb-xfixes.so.0 libxcb-xfixes0
libxcb-xinerama.so.0 libxcb-xinerama0
libxcb-xinput.so.0 libxcb-xinput0
libxcb-xkb.so.1 libxcb-xkb1
libxkbcommon.so.0 libxkbcommon0
libxkbcommon-x11.so.0 libxkbcommon-x11-0
libwayland-client.so.0 libwayland-client0
libwayland-cursor.so.0 libwayland-cursor0
libwayland-egl.so.1 libwayland-egl1
libwayland-server.so.0 libwayland-server0
libQt5Core.so.5 libqt5core5a : bullseye bookworm jammy
libQt5Core.so.5 libqt5core5t64 : trixie noble
libQt5Gui.so.5 libqt5gui5 t64
libQt5Widgets.so.5 libqt5widgets5 t64
libQt5DBus.so.5 libqt5dbus5 t64
libQt5Network.so.5 libqt5network5 t64
libQt6Core.so.6 libqt6core6 t64 : bookworm trixie jammy noble
# fonts, drawing
libfontconfig.so.1 libfontconfig1
libfreetype.so.6 libfreetype6
libharfbuzz.so.0 libharfbuzz0b
libfribidi.so.0 libfribidi0
libgraphite2.so.3 libgraphite2-3
libraqm.so.0 libraqm0
libcairo.so.2 libcairo2
libcairo-gobject.so.2 libcairo-gobject2
libpixman-1.so.0 libpixman-1-0
libpango-1.0.so.0 libpango-1.0-0
libpangocairo-1.0.so.0 libpangocairo-1.0-0
libpangoft2-1.0.so.0 libpangoft2-1.0-0
libcgraph.so.6 libcgraph6
libcdt.so.5 libcdt5
libgvc.so.6 libgvc6
# pictures, documents
libjpeg.so.62 libjpeg62-turbo : bullseye bookworm trixie
libjpeg.so.62 libjpeg62 : jammy noble
libjpeg.so.8 libjpeg-turbo8 : jammy noble
libturbojpeg.so.0 libturbojpeg0 : bullseye bookworm trixie
libturbojpeg.so.0 libturbojpeg : jammy noble
libpng16.so.16 libpng16-16 t64
libtiff.so.5 libtiff5 : bullseye jammy
libtiff.so.6 libtiff6 : bookworm trixie noble
libwebp.so.6 libwebp6 : bullseye
libwebp.so.7 libwebp7 : bookworm trixie jammy noble
libwebpdemux.so.2 libwebpdemux2
libwebpmux.so.3 libwebpmux3
libopenjp2.so.7 libopenjp2-7
liblcms2.so.2 liblcms2-2
libheif.so.1 libheif1
libgif.so.7 libgif7
libexif.so.12 libexif12
libraw.so.20 libraw20 : bullseye bookworm jammy
libraw.so.23 libraw23 t64 : trixie noble
libvips.so.42 libvips42 t64
libzbar.so.0 libzbar0 t64
libtesseract.so.4 libtesseract4 : bullseye jammy
libtesseract.so.5 libtesseract5 : bookworm trixie noble
liblept.so.5 liblept5 : bullseye bookworm jammy noble
libMagickWand-6.Q16.so.6 libmagickwand-6.q16-6 : bullseye bookworm jammy
libpoppler-cpp.so.0 libpoppler-cpp0v5 : bullseye bookworm jammy
libpoppler-cpp.so.0 libpoppler-cpp0t64 : noble
libgs.so.9 libgs9 : bullseye jammy
libgs.so.10 libgs10 : bookworm trixie noble
libdjvulibre.so.21 libdjvulibre21
# sound
libasound.so.2 libasound2 t64
libportaudio.so.2 libportaudio2
libsndfile.so.1 libsndfile1
libsamplerate.so.0 libsamplerate0
libpulse.so.0 libpulse0
libpulse-simple.so.0 libpulse0
libjack.so.0 libjack-jackd2-0
libopenal.so.1 libopenal1
libFLAC.so.8 libflac8 : bullseye jammy
libFLAC.so.12 libflac12 : bookworm
libFLAC.so.12 libflac12t64 : noble
libFLAC.so.14 libflac14 : trixie
libvorbis.so.0 libvorbis0a
libvorbisenc.so.2 libvorbisenc2
libvorbisfile.so.3 libvorbisfile3
libogg.so.0 libogg0
libopus.so.0 libopus0
libopusfile.so.0 libopusfile0
libmp3lame.so.0 libmp3lame0
libmpg123.so.0 libmpg123-0 t64
libsoxr.so.0 libsoxr0
libsox.so.3 libsox3
libchromaprint.so.1 libchromaprint1
libespeak-ng.so.1 libespeak-ng1
libfluidsynth.so.2 libfluidsynth2 : bullseye
libfluidsynth.so.3 libfluidsynth3 : bookworm trixie jammy noble
libSDL2-2.0.so.0 libsdl2-2.0-0
libSDL2_image-2.0.so.0 libsdl2-image-2.0-0
libSDL2_mixer-2.0.so.0 libsdl2-mixer-2.0-0
libSDL2_ttf-2.0.so.0 libsdl2-ttf-2.0-0
# moving pictures
libavcodec.so.58 libavcodec58 : bullseye jammy
libavcodec.so.59 libavcodec59 : bookworm
libavcodec.so.60 libavcodec60 : noble
libavcodec.so.61 libavcodec61 : trixie
libavdevice.so.58 libavdevice58 : bullseye jammy
libavdevice.so.59 libavdevice59 : bookworm
libavdevice.so.60 libavdevice60 : noble
libavdevice.so.61 libavdevice61 : trixie
libavfilter.so.7 libavfilter7 : bullseye jammy
libavfilter.so.8 libavfilter8 : bookworm
libavfilter.so.9 libavfilter9 : noble
libavfilter.so.10 libavfilter10 : trixie
libavformat.so.58 libavformat58 : bullseye jammy
libavformat.so.59 libavformat59 : bookworm
libavformat.so.60 libavformat60 : noble
libavformat.so.61 libavformat61 : trixie
libavutil.so.56 libavutil56 : bullseye jammy
libavutil.so.57 libavutil57 : bookworm
libavutil.so.58 libavutil58 : noble
libavutil.so.59 libavutil59 : trixie
libswresample.so.3 libswresample3 : bullseye jammy
libswresample.so.4 libswresample4 : bookworm noble
libswresample.so.5 libswresample5 : trixie
libswscale.so.5 libswscale5 : bullseye jammy
libswscale.so.6 libswscale6 : bookworm
libswscale.so.7 libswscale7 : noble
libswscale.so.8 libswscale8 : trixie
libgstreamer-1.0.so.0 libgstreamer1.0-0
libgstbase-1.0.so.0 libgstreamer1.0-0
libgstapp-1.0.so.0 libgstreamer-plugins-base1.0-0
libgstvideo-1.0.so.0 libgstreamer-plugins-base1.0-0
libgstaudio-1.0.so.0 libgstreamer-plugins-base1.0-0
libv4l2.so.0 libv4l-0 t64
libdc1394.so.25 libdc1394-25
# databases, messages
libpq.so.5 libpq5
libmariadb.so.3 libmariadb3
libmysqlclient.so.21 libmysqlclient21 : jammy noble
libsqlite3.so.0 libsqlite3-0
libodbc.so.2 libodbc1 : bullseye
libodbc.so.2 libodbc2 : bookworm trixie jammy noble
libodbcinst.so.2 odbcinst1debian2 : bullseye
libodbcinst.so.2 libodbcinst2 : bookworm trixie jammy noble
libiodbc.so.2 libiodbc2
libsybdb.so.5 libsybdb5
libct.so.4 libct4
libfbclient.so.2 libfbclient2
libdb-5.3.so libdb5.3 t64
libleveldb.so.1d libleveldb1d
liblmdb.so.0 liblmdb0
libhiredis.so.0.14 libhiredis0.14 : bullseye bookworm jammy
librdkafka.so.1 librdkafka1
libmemcached.so.11 libmemcached11 t64
libzmq.so.5 libzmq5
# keys, certificates, directories
libssl.so.1.1 libssl1.1 : bullseye
libcrypto.so.1.1 libssl1.1 : bullseye
libssl.so.3 libssl3 t64 : bookworm trixie jammy noble
libcrypto.so.3 libssl3 t64 : bookworm trixie jammy noble
libsasl2.so.2 libsasl2-2
libldap_r-2.4.so.2 libldap-2.4-2 : bullseye
libldap-2.4.so.2 libldap-2.4-2 : bullseye
liblber-2.4.so.2 libldap-2.4-2 : bullseye
libldap-2.5.so.0 libldap-2.5-0 : bookworm jammy
liblber-2.5.so.0 libldap-2.5-0 : bookworm jammy
libldap.so.2 libldap2 : trixie noble
liblber.so.2 libldap2 : trixie noble
libkrb5.so.3 libkrb5-3
libgssapi_krb5.so.2 libgssapi-krb5-2
libk5crypto.so.3 libk5crypto3
libkrb5support.so.0 libkrb5support0
libcom_err.so.2 libcom-err2
libkeyutils.so.1 libkeyutils1
libgnutls.so.30 libgnutls30 t64
libnettle.so.8 libnettle8 t64
libhogweed.so.6 libhogweed6 t64
libgcrypt.so.20 libgcrypt20
libgpg-error.so.0 libgpg-error0
libgpgme.so.11 libgpgme11 t64
libsodium.so.23 libsodium23
libargon2.so.1 libargon2-1
libpcsclite.so.1 libpcsclite1
libxmlsec1.so.1 libxmlsec1 t64
libxmlsec1-openssl.so.1 libxmlsec1-openssl : bullseye bookworm jammy
libxmlsec1-openssl.so.1 libxmlsec1t64-openssl : noble
libpam.so.0 libpam0g
libp11-kit.so.0 libp11-kit0
libtasn1.so.6 libtasn1-6
# networks, devices
libcurl.so.4 libcurl4 t64
libcurl-gnutls.so.4 libcurl3-gnutls : bullseye bookworm jammy
libcurl-gnutls.so.4 libcurl3t64-gnutls : trixie noble
libssh.so.4 libssh-4
libssh2.so.1 libssh2-1 t64
libnghttp2.so.14 libnghttp2-14
librtmp.so.1 librtmp1
libpsl.so.5 libpsl5 t64
libidn2.so.0 libidn2-0
libidn.so.11 libidn11 : bullseye
libidn.so.12 libidn12 : bookworm trixie jammy noble
libunistring.so.2 libunistring2 : bullseye bookworm jammy
libunistring.so.5 libunistring5 : trixie noble
libcares.so.2 libc-ares2 : bullseye bookworm jammy noble
libcares.so.2 libcares2 : trixie
libuv.so.1 libuv1 t64
libevent-2.1.so.7 libevent-2.1-7 t64
libev.so.4 libev4 t64
libpcap.so.0.8 libpcap0.8 t64
libnl-3.so.200 libnl-3-200
libnl-route-3.so.200 libnl-route-3-200
libibverbs.so.1 libibverbs1
librdmacm.so.1 librdmacm1 t64
libusb-1.0.so.0 libusb-1.0-0
libusb-0.1.so.4 libusb-0.1-4
libhidapi-hidraw.so.0 libhidapi-hidraw0
libhidapi-libusb.so.0 libhidapi-libusb0
libftdi1.so.2 libftdi1-2
libbluetooth.so.3 libbluetooth3
libgpiod.so.2 libgpiod2 : bullseye bookworm jammy noble
libudev.so.1 libudev1
libsystemd.so.0 libsystemd0
libfuse.so.2 libfuse2 t64
libfuse3.so.3 libfuse3-3 : bullseye bookworm jammy noble
# text, archives
libxml2.so.2 libxml2
libxslt.so.1 libxslt1.1
libexslt.so.0 libxslt1.1
libexpat.so.1 libexpat1
libyaml-0.so.2 libyaml-0-2
libmagic.so.1 libmagic1 t64
libicuuc.so.67 libicu67 : bullseye
libicui18n.so.67 libicu67 : bullseye
libicudata.so.67 libicu67 : bullseye
libicuuc.so.70 libicu70 : jammy
libicui18n.so.70 libicu70 : jammy
libicudata.so.70 libicu70 : jammy
libicuuc.so.72 libicu72 : bookworm
libicui18n.so.72 libicu72 : bookworm
libicudata.so.72 libicu72 : bookworm
libicuuc.so.74 libicu74 : noble
libicui18n.so.74 libicu74 : noble
libicudata.so.74 libicu74 : noble
libicuuc.so.76 libicu76 : trixie
libicui18n.so.76 libicu76 : trixie
libicudata.so.76 libicu76 : trixie
libpcre.so.3 libpcre3 : bullseye bookworm jammy noble
libpcre2-8.so.0 libpcre2-8-0
libonig.so.5 libonig5
libenchant-2.so.2 libenchant-2-2
libhunspell-1.7.so.0 libhunspell-1.7-0
libaspell.so.15 libaspell15
libxapian.so.30 libxapian30
libarchive.so.13 libarchive13 t64
libzip.so.4 libzip4 : bullseye bookworm jammy
libzip.so.4 libzip4t64 : noble
libzip.so.5 libzip5 : trixie
libz.so.1 zlib1g
libbz2.so.1.0 libbz2-1.0
liblzma.so.5 liblzma5
libzstd.so.1 libzstd1
liblz4.so.1 liblz4-1
libsnappy.so.1 libsnappy1v5
libbrotlicommon.so.1 libbrotli1
libbrotlidec.so.1 libbrotli1
libbrotlienc.so.1 libbrotli1
libminizip.so.1 libminizip1 t64
libblosc.so.1 libblosc1
libsz.so.2 libsz2
libaec.so.0 libaec0
libdeflate.so.0 libdeflate0
libprotobuf.so.23 libprotobuf23 : bullseye jammy
libprotobuf.so.32 libprotobuf32 t64 : bookworm trixie noble
# what compilers and interpreters bring
libffi.so.7 libffi7 : bullseye
libffi.so.8 libffi8 : bookworm trixie jammy noble
libgomp.so.1 libgomp1
libgfortran.so.5 libgfortran5
libquadmath.so.0 libquadmath0
libatomic.so.1 libatomic1
libobjc.so.4 libobjc4
libitm.so.1 libitm1
libstdc++.so.6 libstdc++6
libgcc_s.so.1 libgcc-s1
libltdl.so.7 libltdl7
libunwind.so.8 libunwind8
libelf.so.1 libelf1 t64
libdw.so.1 libdw1 t64
libbsd.so.0 libbsd0
libmd.so.0 libmd0
libnuma.so.1 libnuma1
libhwloc.so.15 libhwloc15
libtbb.so.2 libtbb2 : bullseye jammy
libtbb.so.12 libtbb12 : bookworm trixie jammy noble
libjemalloc.so.2 libjemalloc2
libtcmalloc.so.4 libgoogle-perftools4 t64
libtcmalloc_minimal.so.4 libtcmalloc-minimal4 t64
libcrypt.so.1 libcrypt1
libnsl.so.2 libnsl2
libtirpc.so.3 libtirpc3 t64
libuuid.so.1 libuuid1
libblkid.so.1 libblkid1
libmount.so.1 libmount1
libselinux.so.1 libselinux1
libcap.so.2 libcap2
libseccomp.so.2 libseccomp2
libreadline.so.8 libreadline8 t64
libncurses.so.6 libncurses6
libncursesw.so.6 libncursesw6
libpanelw.so.6 libncursesw6
libtinfo.so.6 libtinfo6
libgdbm.so.6 libgdbm6 t64
libgdbm_compat.so.4 libgdbm-compat4 t64
libtcl8.6.so libtcl8.6
libtk8.6.so libtk8.6
libR.so r-base-core
liblua5.1.so.0 liblua5.1-0
# numbers
libopenblas.so.0 libopenblas0
libblas.so.3 libblas3
liblapack.so.3 liblapack3
liblapacke.so.3 liblapacke
libatlas.so.3 libatlas3-base
libfftw3.so.3 libfftw3-double3
libfftw3_omp.so.3 libfftw3-double3
libfftw3_threads.so.3 libfftw3-double3
libfftw3f.so.3 libfftw3-single3
libfftw3l.so.3 libfftw3-long3
libgsl.so.25 libgsl25 : bullseye
libgsl.so.27 libgsl27 : bookworm jammy
libgsl.so.27 libgsl27t64 : noble
libgsl.so.28 libgsl28 : trixie
libgslcblas.so.0 libgslcblas0
libarpack.so.2 libarpack2 t64
libumfpack.so.5 libumfpack5 : bullseye bookworm jammy
libumfpack.so.6 libumfpack6 : trixie noble
libcholmod.so.3 libcholmod3 : bullseye bookworm jammy
libglpk.so.40 libglpk40
libnlopt.so.0 libnlopt0
libgmp.so.10 libgmp10
libmpfr.so.6 libmpfr6
libmpc.so.3 libmpc3
libmetis.so.5 libmetis5
libipopt.so.1 coinor-libipopt1v5 : bullseye bookworm jammy
libmpi.so.40 libopenmpi3 : bullseye bookworm jammy
libmpi.so.40 libopenmpi3t64 : noble
libmpi.so.40 libopenmpi40 : trixie
libmpich.so.12 libmpich12 : bullseye bookworm jammy
libpmix.so.2 libpmix2 t64
# earth and sky
libhdf5_serial.so.103 libhdf5-103-1 : bullseye bookworm jammy
libhdf5_serial.so.103 libhdf5-103-1t64 : noble
libhdf5_serial.so.310 libhdf5-310 : trixie
libhdf5_serial_hl.so.100 libhdf5-hl-100 : bullseye bookworm jammy
libhdf5_serial_hl.so.100 libhdf5-hl-100t64 : noble
libhdf5_serial_hl.so.310 libhdf5-hl-310 : trixie
libnetcdf.so.18 libnetcdf18 : bullseye
libnetcdf.so.19 libnetcdf19 : bookworm jammy
libnetcdf.so.19 libnetcdf19t64 : noble
libnetcdf.so.22 libnetcdf22 : trixie
libgdal.so.28 libgdal28 : bullseye
libgdal.so.30 libgdal30 : jammy
libgdal.so.32 libgdal32 : bookworm
libgdal.so.34 libgdal34t64 : noble
libgdal.so.36 libgdal36 : trixie
libproj.so.19 libproj19 : bullseye
libproj.so.22 libproj22 : jammy
libproj.so.25 libproj25 : bookworm trixie noble
libgeos_c.so.1 libgeos-c1v5 : bullseye bookworm jammy
libgeos_c.so.1 libgeos-c1t64 : trixie noble
libgeos.so.3.11.1 libgeos3.11.1 : bookworm
libspatialindex.so.6 libspatialindex6 : bullseye bookworm jammy noble
libspatialindex.so.8 libspatialindex8 : trixie
libspatialindex_c.so.6 libspatialindex-c6 : bullseye bookworm jammy noble
libspatialindex_c.so.8 libspatialindex-c8 : trixie
libspatialite.so.7 libspatialite7 : bullseye bookworm jammy
libspatialite.so.8 libspatialite8t64 : trixie noble
libgeotiff.so.5 libgeotiff5
libeccodes.so.0 libeccodes0
libudunits2.so.0 libudunits2-0
libcfitsio.so.9 libcfitsio9 : bullseye jammy
libcfitsio.so.10 libcfitsio10 t64 : bookworm trixie noble
libxerces-c-3.2.so libxerces-c3.2 t64
"""
