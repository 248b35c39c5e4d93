using System.Reflection;
using System.Runtime.InteropServices;
using ILGPU;

namespace Mamba.Managed.ILGPU.Devices;

/// <summary>Finds drivers under the names by which systems have them.</summary>
internal static class NativeLibraries
{
    private static readonly Lazy<bool> resolved = new(Register);

    /// <summary>Lets ILGPU find <c>libOpenCL.so.1</c>, which Linux has, where it asks for <c>libOpenCL.so</c>, which comes with development packages.</summary>
    public static void Resolve() => _ = resolved.Value;

    private static bool Register()
    {
        try
        {
            NativeLibrary.SetDllImportResolver(typeof(Context).Assembly, Find);
            return true;
        }
        catch (InvalidOperationException)
        {
            // An assembly has one resolver, and the host has set one, or ILGPU its own for Windows' Linux.
            return false;
        }
    }

    private static nint Find(string name, Assembly assembly, DllImportSearchPath? path)
    {
        bool isOpenCL = OperatingSystem.IsLinux() && name.StartsWith("OpenCL", StringComparison.Ordinal);
        return isOpenCL && !NativeLibrary.TryLoad(name, assembly, path, out _) && NativeLibrary.TryLoad("libOpenCL.so.1", out nint library) ? library : 0;
    }
}
