using System.Text.RegularExpressions;
using ILGPU.Runtime.Cuda;

namespace Mamba.Managed.ILGPU.Devices;

/// <summary>Fits a kernel's text to a device as to the instructions by which launches overlap: GPUs have them from Hopper on.</summary>
internal static partial class OverlapText
{
    private const string Hopper = "sm_90";

    /// <summary>The text for a device: without the instructions where it has none, else for a target that has them, which ILGPU's is not.</summary>
    public static string For(string text, CudaArchitecture architecture) =>
        architecture.Major < 9 ? Instruction().Replace(text, "")
        : Instruction().IsMatch(text) ? Target().Replace(text, Hopper, 1)
        : text;

    [GeneratedRegex(@"griddepcontrol\.\w+;")]
    private static partial Regex Instruction();

    [GeneratedRegex(@"(?<=\.target )\w+")]
    private static partial Regex Target();
}
