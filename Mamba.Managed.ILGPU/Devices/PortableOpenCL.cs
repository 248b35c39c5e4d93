using System.Runtime.CompilerServices;
using ILGPU.Runtime.OpenCL;

namespace Mamba.Managed.ILGPU.Devices;

/// <summary>Makes PoCL, the OpenCL platform of Linux distributions for processors, usable in versions that understate what they can.</summary>
internal static class PortableOpenCL
{
    private const string Platform = "Portable Computing Language";

    // Code of ILGPU is OpenCL C 2.0 with pointers of the generic address space. PoCL 3 compiles it and runs it right, but reports 1.2 and no such pointers.
    private const int Major = 2;

    /// <summary>Marks a device of PoCL as what it is.</summary>
    public static void Correct(CLDevice device)
    {
        if (device.PlatformName == Platform && device.Capabilities is CLCapabilityContext { GenericAddressSpace: false } capabilities)
        {
            SetGenericAddressSpace(capabilities, true);
            SetVersion(device, new(Major, 0));
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_GenericAddressSpace")]
    private static extern void SetGenericAddressSpace(CLCapabilityContext capabilities, bool value);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_CVersion")]
    private static extern void SetVersion(CLDevice device, global::ILGPU.Backends.OpenCL.CLCVersion value);
}
