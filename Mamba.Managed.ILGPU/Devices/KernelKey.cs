using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Mamba.Managed.ILGPU.Devices;

/// <summary>What a kernel is compiled from and for.</summary>
/// <param name="Method">Its code.</param>
/// <param name="Threads">The most threads of a group; null where ILGPU chooses.</param>
/// <param name="Groups">Groups that share a multiprocessor; null where ILGPU chooses.</param>
internal readonly record struct KernelKey(MethodInfo Method, int? Threads, int? Groups)
{
    /// <summary>Bounds of a launch, which bound registers.</summary>
    public KernelSpecialization Specialization => new(Threads, Groups);

    /// <summary>All that decides on the compiled text: the build of the assembly with the code, method, bounds, compiler, target.</summary>
    public string Describe(CudaArchitecture architecture, CudaInstructionSet instructions)
    {
        Module module = Method.Module;
        string compiler = typeof(Context).Assembly.ManifestModule.ModuleVersionId.ToString();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{module.ModuleVersionId} {Method.DeclaringType}.{Method} {Threads} {Groups} {compiler} {architecture} {instructions}");
    }

    /// <summary>A name for a file.</summary>
    public static string HashOf(string description) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(description)).AsSpan(0, 16));
}
